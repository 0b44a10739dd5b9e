"""Without the token, or with a wrong one, nobody reads, submits or joins; with it all of it works."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Figure
from tests.chaos.real_cluster import RealCluster, descendants

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STRANGER = Path(__file__).with_name("stranger.py")
WAYS = ("gcs", "driver", "ray_client", "jobs", "agent")
PATIENCE = 25.0
"""Seconds; an attempt that is neither in nor out by then has not come in. Ray tries some of them for minutes."""

RIGHT_PATIENCE = 90.0

WRONG = "0" * 64

READ = (
    "/cai-deploy/nodes",
    "/cai-deploy/activity",
    "/api/version",
    "/api/v0/nodes?detail=1",
    "/api/v0/actors",
    "/api/jobs/",
    "/api/cluster_status",
    "/api/serve/applications/",
    "/nodes?view=summary",
    "/logs",
    "/api/v0/logs?node_id=0",
)
SUBMIT = (
    ("/api/jobs/", {"entrypoint": "echo stranger"}),
    ("/cai-deploy/files", {"paths": ["cai-deploy.yaml"]}),
    ("/cai-deploy/drain", {"node": "worker-0"}),
    ("/api/serve/applications/", {"applications": []}),
)

NONE_SHOWN: dict[str, str] = {}
SHOWN = {
    "none": NONE_SHOWN,
    "wrong": {"X-Ray-Authorization": f"Bearer {WRONG}"},
    "wrong as a cookie": {"Cookie": f"ray-authentication-token={WRONG}"},
    "right without its word": {"X-Ray-Authorization": "{token}"},
    "empty": {"X-Ray-Authorization": "Bearer "},
}


@pytest.mark.parametrize(
    "shown",
    [shown if shown in ("none", "wrong") else pytest.param(shown, marks=pytest.mark.long) for shown in SHOWN],
)
def test_no_answer_over_http_without_the_token(cluster: RealCluster, shown: str) -> None:
    cluster.wait_until_whole()
    platform = {name: value for name, value in cluster.headers.items() if name != "X-Ray-Authorization"}
    headers = platform | {name: value.replace("{token}", cluster.token) for name, value in SHOWN[shown].items()}
    told = {path: cluster.ask("GET", path, showing=headers) for path in READ}
    told |= {f"POST {path}": cluster.ask("POST", path, showing=headers, json=body) for path, body in SUBMIT}
    answers = {path: answer.status_code for path, answer in told.items()}
    assert not {path: status for path, status in answers.items() if status not in (401, 403)}
    assert not any(cluster.token in answer.text for answer in told.values())
    assert cluster.ask("GET", "/api/version").ok, "it is the token that is missed"


@pytest.mark.long
def test_no_way_in_from_another_pod_without_the_token(cluster: RealCluster, figure: Figure) -> None:
    cluster.wait_until_whole()
    began = time.monotonic()
    tokens = {"no token": "", "a wrong token": WRONG, "the right token": cluster.token}
    came_in = set[tuple[str, str]]()
    for shown, token in tokens.items():
        patience = RIGHT_PATIENCE if token == cluster.token else PATIENCE
        attempts = {way: attempt(cluster, way, token, patience) for way in WAYS}
        for way, process in attempts.items():
            told = end_of(process)
            print(f"{shown}, {way}: {told[-600:]}")
            if told.splitlines()[-1:] == ["IN"]:
                came_in.add((shown, way))
    assert came_in == {("the right token", way) for way in WAYS}
    shut = ", ".join(WAYS)
    figure(f"strangers: no way in by {shut} without a token or with a wrong one, {time.monotonic() - began:.0f} s")


def attempt(cluster: RealCluster, way: str, token: str, patience: float) -> subprocess.Popen[str]:
    """Begin an attempt in a worker's pod, as somebody who knows of the cluster no more than the head's address."""
    python = next((cluster.directory / ".cai-deploy" / "environments").glob("ray-*/bin/python"))
    shown = [f"RAY_AUTH_TOKEN={token}", "RAY_AUTH_MODE=token"] if token else ["RAY_AUTH_MODE=disabled"]
    environ = ["env", "-i", "HOME=/nonexistent", "PATH=/usr/bin:/bin", "TMPDIR=/tmp", *shown]
    limits = ["timeout", "--signal=KILL", str(patience)]
    # A copy in the project, as the pod does not see where these tests are.
    script = cluster.directory / "tests" / "chaos" / STRANGER.name
    head = str(cluster.connection()["node_address"])
    return cluster.beside("worker-1", *limits, *environ, str(python), str(script), way, head, agent_port(cluster))


def end_of(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate(timeout=2 * RIGHT_PATIENCE)
    return told.strip()


def agent_port(cluster: RealCluster) -> str:
    """The port of the head's dashboard agent, as Ray has written it down."""
    for pid in descendants(cluster.agent("head")):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        for directory in (word.partition("=")[2] for word in words if word.startswith("--temp-dir=")):
            return cluster.inside(
                "head", "sh", "-c", f"cat {directory}/session_2*/dashboard_agent_listen_port_*"
            ).strip()
    raise AssertionError("the head runs no Ray")
