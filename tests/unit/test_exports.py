"""The variables for Ray's own commands, and that a shell and Python read them as they are meant."""

from __future__ import annotations

import json
import subprocess

from cai_deploy.access import Access
from cai_deploy.connection import ConnectionInfo
from cai_deploy.exports import for_client, for_jobs, in_the_project, notebook_lines, shell_lines

ACCESS = Access("http://127.0.0.1:8000", {"Host": "ray.localhost:8000", "Authorization": "Bearer it's $HOME `x`"})
INFO = ConnectionInfo("ray", 1, "10.0.0.2", "10.0.0.2:6379", "10.0.0.2:10001", "", "", "2.60.0", "3.11.2", "")


def shell_reads(lines: list[str], name: str) -> str:
    script = "\n".join([*lines, f'printf %s "${name}"'])
    environ = {"HOME": "/home/somebody else", "PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True).stdout


def test_a_shell_reads_what_was_meant() -> None:
    lines = shell_lines(for_jobs(ACCESS))
    assert json.loads(shell_reads(lines, "RAY_JOB_HEADERS")) == ACCESS.headers
    assert shell_reads(lines, "RAY_ADDRESS") == shell_reads(lines, "RAY_API_SERVER_ADDRESS") == "http://127.0.0.1:8000"


def test_in_the_project_the_token_is_named_by_its_file_alone() -> None:
    closed = ConnectionInfo(**{**vars(INFO), "token_path": ".cai-deploy/clusters/ray/token"})
    variables = in_the_project(closed)
    assert variables["RAY_ADDRESS"] == "ray://10.0.0.2:10001"
    path = "/home/somebody else/.cai-deploy/clusters/ray/token"
    assert shell_reads(shell_lines(variables), "RAY_AUTH_TOKEN_PATH") == path
    assert notebook_lines(variables) == [
        "import os, ray",
        'os.environ["RAY_ADDRESS"] = "ray://10.0.0.2:10001"',
        'os.environ["RAY_AUTH_MODE"] = "token"',
        'os.environ["RAY_AUTH_TOKEN_PATH"] = os.path.expanduser("~/.cai-deploy/clusters/ray/token")',
        "ray.init()",
    ]


def test_a_cluster_without_a_token_asks_for_none() -> None:
    assert in_the_project(INFO) == {"RAY_ADDRESS": "ray://10.0.0.2:10001"}


def test_through_a_tunnel_jobs_go_elsewhere_than_clients() -> None:
    assert for_client("ray://127.0.0.1:1", "/run/token", "http://127.0.0.1:2") == {
        "RAY_ADDRESS": "ray://127.0.0.1:1",
        "RAY_API_SERVER_ADDRESS": "http://127.0.0.1:2",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": "/run/token",
    }
