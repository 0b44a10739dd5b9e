"""Where things stand inside a project directory, so that deployer, jobs and node agents agree on one map.

Every path is relative to the project root (``/home/cdsw`` in a CML workload) and uses forward slashes, because the
same string is a file path inside a pod and a path of the files API outside. Standard library only: bare
interpreters inside the workspace import this.
"""

from __future__ import annotations

STATE_DIR = ".cai-deploy"
ENVIRONMENTS_DIR = f"{STATE_DIR}/environments"
CLUSTERS_DIR = f"{STATE_DIR}/clusters"
JOB_LOGS_DIR = f"{STATE_DIR}/logs"
CODE_DIR = f"{STATE_DIR}/code"
JOBS_DIR = f"{STATE_DIR}/jobs"
PROGRAM_FILE = f"{CODE_DIR}/program.json"
"""Which program the project was given; written after all that belongs to it."""

SHIPPED_LOCK_FILE = f"{CODE_DIR}/requirements.txt"
"""The lock file that comes with the program, for repositories that have none."""

GIT_ACCESS_DIR = f"{STATE_DIR}/git"
"""What opens a private repository: closed to all but the owner of the project's files."""

READY_MARK = "ready.json"

COPY_ARCHIVE = "copy.tar"
"""In an environment that is slow to open: all of it once more, for nodes to copy."""

COPY_NOTE = "copy.json"
"""What that archive holds; written after it."""


def environment_dir(environment: str) -> str:
    """The virtual environment called ``environment`` (see ``project.environment.environment_name``)."""
    return f"{ENVIRONMENTS_DIR}/{environment}"


def environment_ready_file(environment: str) -> str:
    """Written last by the setup job: an environment without it is half built."""
    return f"{environment_dir(environment)}/{READY_MARK}"


def cluster_dir(cluster: str) -> str:
    """All that belongs to one cluster and goes away with it."""
    return f"{CLUSTERS_DIR}/{cluster}"


def connection_file(cluster: str) -> str:
    """Written by the head: how a node, a client or a person finds it."""
    return f"{cluster_dir(cluster)}/connection.json"


def token_file(cluster: str) -> str:
    """What opens the cluster, for the owner of the project's files alone. Made by its head."""
    return f"{cluster_dir(cluster)}/token"


def authority_file(cluster: str) -> str:
    """What signs the certificates of the cluster's nodes, where they speak TLS; closed as the token is."""
    return f"{cluster_dir(cluster)}/tls/authority.pem"


def gcs_store_dir(cluster: str) -> str:
    """The state of the cluster's GCS, which outlives the head's pod; only one head at a time may write it."""
    return f"{cluster_dir(cluster)}/gcs"


def head_lock_file(cluster: str) -> str:
    """Locked by the head that writes the store. Its contents mean nothing."""
    return f"{cluster_dir(cluster)}/head.lock"


def applied_spec_file(cluster: str) -> str:
    """The specification that the deployer last set out to reach."""
    return f"{cluster_dir(cluster)}/spec.json"


def converged_spec_file(cluster: str) -> str:
    """The specification that the cluster last reached, with its environments pinned: where a rollback goes."""
    return f"{cluster_dir(cluster)}/converged.json"


def asleep_file(cluster: str) -> str:
    """There while the cluster sleeps: since when, and why. `launch` removes it."""
    return f"{cluster_dir(cluster)}/asleep.json"


def lease_dir(cluster: str) -> str:
    """The claims of those who want to change the cluster; it is changed by one at a time."""
    return f"{cluster_dir(cluster)}/lease"


def intents_file(cluster: str) -> str:
    """What is about to be created: written before the requests are sent, as their answers may get lost."""
    return f"{cluster_dir(cluster)}/intents.json"


def evidence_file(cluster: str, moment: str) -> str:
    """What a cluster had written when a change of it failed; it outlives the cluster."""
    return f"{STATE_DIR}/evidence/{cluster}-{moment}.txt"


def logs_dir(cluster: str) -> str:
    """What the cluster's nodes have written."""
    return f"{cluster_dir(cluster)}/logs"


def kept_logs_dir(cluster: str) -> str:
    """What the nodes of a cluster that was taken down had written, until it is taken down the next time."""
    return f"{JOB_LOGS_DIR}/{cluster}"


def node_log_file(cluster: str, node: str) -> str:
    """The agent's and Ray's output of one node; API v2 has no application logs, so it lives in a project file."""
    return f"{logs_dir(cluster)}/{node}.log"


def ray_log_file(cluster: str, node: str) -> str:
    """The ends of the logs of the Ray that runs on a node, as they were less than a minute ago."""
    return f"{logs_dir(cluster)}/{node}.ray.log"


def ended_ray_log_file(cluster: str, node: str) -> str:
    """The ends of the logs of the Ray that ended last on a node."""
    return f"{logs_dir(cluster)}/{node}.ray-ended.log"


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


def head_job_file(cluster: str, job_id: int) -> str:
    """Where a head is that is a batch job, as long as it is; named by the job's number, which people have at hand."""
    return f"{cluster_dir(cluster)}/heads/{job_id}.json"


def job_script_file(cluster: str, node: str) -> str:
    """The batch script of one node, where nodes are batch jobs."""
    return f"{cluster_dir(cluster)}/jobs/{node}.sh"


def job_output_file(cluster: str, node: str) -> str:
    """What the batch job of one node has printed, apart from the node's own log: all of it when it never got so far."""
    return f"{cluster_dir(cluster)}/jobs/{node}.out"


def compose_file(cluster: str) -> str:
    """What Docker Compose runs, where nodes are containers."""
    return f"{cluster_dir(cluster)}/compose.yaml"


def image_dir(cluster: str) -> str:
    """What the image of such nodes is built from."""
    return f"{cluster_dir(cluster)}/image"


def host_record_file(cluster: str, node: str) -> str:
    """What a host knows of the process of one node, where nodes are processes of plain hosts."""
    return f"{cluster_dir(cluster)}/nodes/{node}.json"


def placement_file(cluster: str) -> str:
    """On which host each node is, for when a host does not answer; it stands on that of the head."""
    return f"{cluster_dir(cluster)}/placement.json"


def locked_file(cluster: str) -> str:
    """The lock file of the environment, on a host that has no clone of the repository."""
    return f"{cluster_dir(cluster)}/requirements.txt"


def git_access_file(kind: str) -> str:
    """The key or the token that opens the project's repository."""
    return f"{GIT_ACCESS_DIR}/{kind}"


def code_dir(digest: str) -> str:
    """The copy of this program of which ``digest`` tells what it holds, where nodes do not come with one."""
    return f"{CODE_DIR}/{digest}"


def code_archive(digest: str) -> str:
    """The same as one file, which is how a project gets it."""
    return f"{code_dir(digest)}.zip"


def job_script(job: str) -> str:
    """The script of one of our jobs, where projects have it."""
    return f"{JOBS_DIR}/{job}.py"


def _module_name(name: str) -> str:
    return name.replace("-", "_")
