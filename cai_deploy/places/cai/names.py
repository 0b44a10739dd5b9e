"""What things of a cluster are called in a workspace. Pure, so that the same cluster always finds itself again."""

from __future__ import annotations

import hashlib

from cai_deploy import layout

SETUP_JOB = "cai-deploy-setup-environment"
SYNC_JOB = "cai-deploy-git-sync"
SETUP_SCRIPT = layout.job_script("setup_environment")
SYNC_SCRIPT = layout.job_script("git_sync")
WATCHDOG_SCRIPT = layout.job_script("watchdog")
DEPLOYER_SCRIPT = layout.job_script("deployer")


def application_name(cluster: str, node: str) -> str:
    """The application of one node: ``ray-worker-0``."""
    return f"{cluster}-{node}"


def subdomain(cluster: str, node: str, project_id: str) -> str:
    """Unique in a whole workspace, as the platform demands, and stable: it ends in a hash of the project's id."""
    return f"{cluster}-{node}-{hashlib.sha256(project_id.encode()).hexdigest()[:6]}"


def watchdog_job(cluster: str) -> str:
    """The job that looks after one cluster; a project may hold several."""
    return f"cai-deploy-watchdog-{cluster}"


def scheduled_job(cluster: str, stage: str) -> str:
    """One job of the schedule of a cluster."""
    return f"cai-deploy-schedule-{cluster}-{stage}"


def setup_job(runtime: str, head_runtime: str) -> str:
    """One setup job per runtime image, as a job is tied to its image; the head's has the plain name."""
    if runtime == head_runtime:
        return SETUP_JOB
    return f"{SETUP_JOB}-{hashlib.sha256(runtime.encode()).hexdigest()[:6]}"
