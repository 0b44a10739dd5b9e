"""Inline commands, compared as whole texts; and the token that they make, made for real."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.inline import inline_command
from cai_deploy.node_settings import NodeSettings
from tests.unit.test_render import GOLDEN, HEAD, WORKER


@pytest.mark.parametrize(("settings", "node"), [(HEAD, "head"), (WORKER, "gpu-1")], ids=["head", "worker"])
def test_inline_text(settings: NodeSettings, node: str) -> None:
    command = inline_command(settings, node=node)
    assert command + "\n" == (GOLDEN / f"{settings.role}_inline.sh.txt").read_text()
    assert "\n" not in command
    subprocess.run(["/bin/sh", "-n", "-c", command], check=True)


def prepared(project: Path) -> Path:
    """A project whose environment has a Python, and a Ray that only tells what it was given."""
    programs = project / layout.environment_dir(HEAD.environment) / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "ray").write_text('#!/bin/sh\necho "$RAY_AUTH_MODE|$RAY_AUTH_TOKEN|$RAY_AUTH_TOKEN_PATH"\n')
    (programs / "ray").chmod(0o755)
    return project


def run(settings: NodeSettings, project: Path) -> str:
    command = inline_command(settings, node="head")
    variables = {"PATH": os.environ["PATH"], "CDSW_APP_PORT": "1", "CDSW_IP_ADDRESS": "127.0.0.1"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=project,
        env={**variables, "RAY_AUTH_TOKEN": "somebody-elses"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_the_head_makes_a_token_once_and_hands_on_its_path(tmp_path: Path) -> None:
    token = prepared(tmp_path) / layout.token_file("ray")
    assert run(HEAD, tmp_path) == f"token||{token}"
    made = token.read_text()
    assert len(made) == 64
    assert token.stat().st_mode & 0o777 == 0o600
    run(HEAD, tmp_path)
    assert token.read_text() == made
    token.write_text("")
    run(HEAD, tmp_path)
    assert len(token.read_text()) == 64, "an empty one is none"
    assert [path.name for path in token.parent.iterdir() if path.name.startswith("token")] == ["token"]


def test_without_authentication_there_is_no_token(tmp_path: Path) -> None:
    assert run(replace(HEAD, authentication="none"), prepared(tmp_path)) == "disabled|somebody-elses|"
    assert not (tmp_path / layout.token_file("ray")).exists()
