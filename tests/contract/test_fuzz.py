"""A fuzz run over the whole contract ends with a workspace that stands, and with nothing outside of its directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests

from cai_deploy.local_workspace import process
from tests.contract.fuzzing import Fuzz
from tests.contract.workspace import OPERATIONS, Checked, running

REQUESTS = int(os.environ.get("CONTRACT_FUZZ_REQUESTS", "6000"))
SECONDS = float(os.environ.get("CONTRACT_FUZZ_SECONDS", "90"))
SEED = int(os.environ.get("CONTRACT_FUZZ_SEED", "20261121"))
"""The same each time, so that a red run speaks of the change under test; any other number explores further."""

ENOUGH = 4000  # requests, for something of everything to have been carried out
NEVER_CARRIED_OUT = {"ListWorkloadExecutions"}  # ordinary keys may not


def outside(root: Path, workspace: Path) -> set[tuple[str, int]]:
    """Every file below ``root`` that does not belong to the workspace, with its size."""
    return {
        (path.relative_to(root).as_posix(), path.stat().st_size)
        for path in root.rglob("*")
        if workspace not in (path, *path.parents) and path.is_file()
    }


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_no_request_breaks_the_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    # Only clones from this machine's disk: a made-up address must not lead anywhere.
    with running(tmp_path / "home", GIT_ALLOW_PROTOCOL="file") as endpoint:
        before = outside(tmp_path, endpoint.home)
        fuzz = Fuzz(Checked(endpoint), SEED, REQUESTS, SECONDS)
        fuzz.run()
        with capsys.disabled():
            sent, statuses = sum(fuzz.sent.values()), dict(sorted(fuzz.statuses.items()))
            print(f"\nfuzz: seed {SEED}, {sent} requests, answers {statuses}, {fuzz.wrong.total()} wrong")
        still = process.find(endpoint.home)
        log = (endpoint.home / "server.log").read_text(encoding="utf-8", errors="replace")
        escaped = [path for path in tmp_path.rglob("*escaped*") if "projects" not in path.parent.parts]
        after = outside(tmp_path, endpoint.home)

    never = {name for name in OPERATIONS if not fuzz.done[name]} - NEVER_CARRIED_OUT
    assert never == set() or sent < ENOUGH, (
        "all requests for these were refused: the run has looked at nothing but refusals"
    )
    assert [f"{count} x {told}" for told, count in fuzz.wrong.most_common(20)] == []
    assert still is not None
    assert still.pid == endpoint.pid, "the server has crashed"
    assert "".join(log.partition("Traceback")[1:])[:3000] == ""
    assert after == before
    assert escaped == []


def test_the_judge_sees_what_is_wrong(endpoint: process.Endpoint) -> None:
    fuzz = Fuzz(Checked(endpoint), seed=1, requests=1, seconds=1)

    def judged(status: int, text: str) -> list[str]:
        answer = requests.Response()
        answer.status_code, answer._content = status, text.encode()
        answer.request = requests.Request("GET", f"{endpoint.host}/api/v2/projectnames").prepare()
        return fuzz.judge("ListProjectNames", answer)

    assert judged(200, '{"project_names": [], "next_page_token": ""}') == []
    assert judged(200, '{"project_names": [1], "next_page_token": ""}')
    assert judged(200, '{"project_names": []}') == ["$.next_page_token is missing"]
    assert judged(404, "<html>")
    assert judged(502, '{"error": "", "code": 2, "message": "", "details": []}')
