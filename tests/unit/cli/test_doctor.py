"""``doctor`` as a person meets it. Each test runs the real program, with the real workspace where there is one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from cai_deploy.mesh import EXAMPLE
from cai_deploy.testing import LocalWorkspace
from tests.unit.cli.test_command_line import run


def test_the_local_workspace_is_not_started_to_be_looked_at(tmp_path: Path) -> None:
    ran = run(tmp_path, "doctor")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "ok      specification: valid: cluster ray, 2 nodes\n"
        "ok      workspace: the local one, on this machine: no CML_HOST is set\n"
    )
    assert not (tmp_path / "workspace").exists()


def test_a_workspace_that_answers_and_its_key(tmp_path: Path, local_workspace: LocalWorkspace) -> None:
    well = run(tmp_path, "doctor", "--json", **local_workspace.env())
    checks = json.loads(well.out)["checks"]
    assert well.status == 0
    assert [check["name"] for check in checks][:4] == ["specification", "workspace", "key", "clock"]
    assert all(check["ok"] for check in checks)
    wrong = run(tmp_path, "doctor", **{**local_workspace.env(), "CML_API_KEY": "x" * 64 + "." + "y" * 64})
    assert wrong.status == 4
    assert "ok      workspace:" in wrong.out
    assert "failed  key:" in wrong.out
    assert "hint: make a new API v2 key" in wrong.out


def test_a_workspace_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ran = run(tmp_path, "doctor", CML_HOST=host, CML_API_KEY="a" * 64)
    assert ran.status == 5
    assert "failed  workspace:" in ran.out
    assert "key" not in ran.out.replace("CML_API_KEY", "")


def test_a_specification_that_is_wrong_is_one_line_of_several(tmp_path: Path) -> None:
    (tmp_path / "cai-deploy.yaml").write_text("worker: 1\n")
    ran = run(tmp_path, "doctor")
    assert ran.status == 2
    assert "failed  specification:" in ran.out
    assert "ok      workspace:" in ran.out


@pytest.mark.parametrize("as_json", [False, True])
def test_the_manifest(tmp_path: Path, as_json: bool) -> None:
    (tmp_path / "cai-deploy.yaml").write_text(EXAMPLE)
    ran = run(tmp_path, "doctor", "--mesh-manifest", "--namespace", "user-1", *(["--json"] if as_json else []))
    assert ran.status == 0
    text = json.loads(ran.out)["manifest"] if as_json else ran.out
    assert "kind: PeerAuthentication" in text
    assert "namespace: user-1" in text


def test_no_manifest_without_pinned_ports(tmp_path: Path) -> None:
    ran = run(tmp_path, "doctor", "--mesh-manifest")
    assert (ran.status, ran.out) == (2, "")
    assert "a strict mesh needs fixed ports, and these are not pinned: gcs," in ran.err
    assert "worker_min: 11000" in ran.err
