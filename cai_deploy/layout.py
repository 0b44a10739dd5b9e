"""Where things stand inside a project directory, so that deployer, jobs and node agents agree on one map.

Every path is relative to the project root (``/home/cdsw`` in a CML workload) and uses forward slashes, because the
same string is a file path inside a pod and a path of the files API outside. Standard library only: bare
interpreters inside the workspace import this.
"""

from __future__ import annotations

STATE_DIR = ".cai-deploy"
ENVIRONMENTS_DIR = f"{STATE_DIR}/environments"
JOB_LOGS_DIR = f"{STATE_DIR}/logs"
READY_MARK = "ready.json"


def environment_dir(environment: str) -> str:
    """The virtual environment called ``environment`` (see ``project.environment.environment_name``)."""
    return f"{ENVIRONMENTS_DIR}/{environment}"


def environment_ready_file(environment: str) -> str:
    """Written last by the setup job: an environment without it is half built."""
    return f"{environment_dir(environment)}/{READY_MARK}"


def cluster_dir(cluster: str) -> str:
    """All that belongs to one cluster and goes away with it."""
    return f"{STATE_DIR}/clusters/{cluster}"


def connection_file(cluster: str) -> str:
    """Written by the head: how a node, a client or a person finds it."""
    return f"{cluster_dir(cluster)}/connection.json"


def applied_spec_file(cluster: str) -> str:
    """The specification that the deployer last set out to reach."""
    return f"{cluster_dir(cluster)}/spec.json"


def node_log_file(cluster: str, node: str) -> str:
    """The agent's and Ray's output of one node; API v2 has no application logs, so it lives in a project file."""
    return f"{cluster_dir(cluster)}/logs/{node}.log"


def job_log_file(job: str) -> str:
    """The output of the last run of one of our jobs (API v2 has no run logs either)."""
    return f"{JOB_LOGS_DIR}/{job}.log"


def head_launcher_file(cluster: str) -> str:
    """The head launcher at the project root: ``ray_head_launcher.py`` for the default cluster name ``ray``."""
    return f"{_module_name(cluster)}_head_launcher.py"


def worker_launcher_file(cluster: str, group: str | None = None) -> str:
    """The worker launcher at the project root; ``group`` only for a group that differs from the first."""
    middle = f"_{_module_name(group)}" if group else ""
    return f"{_module_name(cluster)}_worker{middle}_launcher.py"


def _module_name(name: str) -> str:
    return name.replace("-", "_")
