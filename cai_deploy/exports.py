"""The variables by which Ray's own commands and programs find a cluster, by where they run. Pure.

Secrets are in those for jobs alone, as Ray takes them from nowhere else; all others name the file of the token.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from cai_deploy.access import Access
from cai_deploy.connection import ConnectionInfo

JOBS_ADDRESS = "RAY_API_SERVER_ADDRESS"
"""For jobs this one counts for more than ``RAY_ADDRESS``."""


def for_jobs(access: Access) -> dict[str, str]:
    """What ``ray job`` needs outside of the workspace. Secret."""
    headers = json.dumps(dict(access.headers))
    return {"RAY_ADDRESS": access.base_url, JOBS_ADDRESS: access.base_url, "RAY_JOB_HEADERS": headers}


def for_client(client_url: str, token_path: str, jobs_url: str = "") -> dict[str, str]:
    """What ``ray.init()`` needs to be a Ray Client, where it can reach ``client_url``; "" is what there is none of."""
    jobs = {JOBS_ADDRESS: jobs_url} if jobs_url else {}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token_path} if token_path else {}
    return {"RAY_ADDRESS": client_url, **jobs, **token}


def in_the_project(info: ConnectionInfo, directory: str = "~") -> dict[str, str]:
    """What programs need that see the files of the cluster's project in ``directory``, as sessions and jobs do."""
    return for_client(f"ray://{info.client_address}", f"{directory}/{info.token_path}" if info.token_path else "")


@dataclass(frozen=True)
class HeadJob:
    """Where a head is that is a batch job: its number, its machine, the first port of its block, its token's file."""

    job_id: int
    machine: str
    port_offset: int
    token_path: str


def for_scripts(info: ConnectionInfo, job: HeadJob) -> dict[str, str]:
    """All that scripts want to know of such a head. Those that Ray itself reads are for programs on its nodes."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": job.token_path} if job.token_path else {}
    return {
        "RAY_ADDRESS": info.gcs_address,
        "RAY_HEAD_NODE": job.machine,
        "RAY_HEAD_IP": info.node_address,
        "RAY_GCS_PORT": info.gcs_address.rpartition(":")[2],
        "RAY_CLIENT_URL": f"ray://{info.client_address}",
        "RAY_DASHBOARD_URL": dashboard_of(info),
        JOBS_ADDRESS: dashboard_of(info),
        "RAY_PORT_OFFSET": str(job.port_offset),
        "SLURM_HEAD_JOB_ID": str(job.job_id),
        "RAY_HEAD_STARTED": info.started_at,
        "RAY_HEAD_EXPIRES": info.expires_at,
        "RAY_CLUSTER_NAME": info.cluster,
        "RAY_CLUSTER_EPOCH": str(info.epoch),
        "RAY_CLUSTER_VERSION": info.ray_version,
        "RAY_CLUSTER_PYTHON": info.python_version,
        **token,
    }


def dashboard_of(info: ConnectionInfo) -> str:
    """Where the head's pages are; a head without a public address is reached at its own."""
    return info.dashboard_url or f"http://{info.dashboard_address}"


def assignment_lines(variables: Mapping[str, str]) -> list[str]:
    """``NAME=value`` for ``source`` and ``eval`` in any POSIX shell."""
    return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """For ``eval`` in any POSIX shell. A home directory stays the shell's to fill in."""
    return [f"export {name}={_quoted(value)}" for name, value in variables.items()]


def assigned(variables: Mapping[str, str]) -> list[str]:
    """Each as what stands before a command, where a home directory stays the shell's to fill in."""
    return [f"{name}={value if _is_at_home(value) else shlex.quote(value)}" for name, value in variables.items()]


def notebook_lines(variables: Mapping[str, str], tls_of: str = "") -> list[str]:
    """The same at the top of a notebook, and the connection; ``tls_of`` is the cluster's name if it speaks TLS."""
    settings = [f"os.environ[{json.dumps(name)}] = {_python(value)}" for name, value in variables.items()]
    if tls_of:
        settings += ["from cai_deploy.node.tls import certified", f"os.environ.update(certified({json.dumps(tls_of)}))"]
    return ["import os, ray", *settings, "ray.init()"]


def certificate_line(cluster: str) -> str:
    """What gives a shell in the project a certificate of a cluster that speaks TLS."""
    return f'eval "$(python -m cai_deploy.node.tls {shlex.quote(cluster)})"'


def _python(value: str) -> str:
    return f"os.path.expanduser({json.dumps(value)})" if _is_at_home(value) else json.dumps(value)


def _quoted(value: str) -> str:
    return f'"$HOME"{shlex.quote(value[1:])}' if _is_at_home(value) else shlex.quote(value)


def _is_at_home(path: str) -> bool:
    return path.startswith("~/")
