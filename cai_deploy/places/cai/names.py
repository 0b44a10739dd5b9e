"""What things of a cluster are called in a workspace. Pure, so that the same cluster always finds itself again."""

from __future__ import annotations

import hashlib

SETUP_JOB = "cai-deploy-setup-environment"
SYNC_JOB = "cai-deploy-git-sync"
SETUP_SCRIPT = "jobs/setup_environment.py"
SYNC_SCRIPT = "jobs/git_sync.py"


def application_name(cluster: str, node: str) -> str:
    """The application of one node: ``ray-worker-0``."""
    return f"{cluster}-{node}"


def subdomain(cluster: str, node: str, project_id: str) -> str:
    """Unique in a whole workspace, as the platform demands, and stable: it ends in a hash of the project's id."""
    return f"{cluster}-{node}-{hashlib.sha256(project_id.encode()).hexdigest()[:6]}"


def setup_job(runtime: str, head_runtime: str) -> str:
    """One setup job per runtime image, as a job is tied to its image; the head's has the plain name."""
    if runtime == head_runtime:
        return SETUP_JOB
    return f"{SETUP_JOB}-{hashlib.sha256(runtime.encode()).hexdigest()[:6]}"
