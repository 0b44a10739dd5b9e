"""Launchers and inline commands, compared as whole texts; and a launcher run as people's mistakes make it run."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.node_settings import NodeSettings, parse
from cai_deploy.render import render_launcher
from tests.polling import eventually

GOLDEN = Path(__file__).parent / "golden"

HEAD = NodeSettings(
    cluster="ray",
    role="head",
    group="head",
    environment="ray-0123456789ab",
    ray_version="2.60.0",
    cpu=2,
    memory_gb=4,
    ports={"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000},
)
WORKER = replace(
    HEAD, role="worker", group="gpu", gpu=1, labels={"zone": "a"}, resources={"it's": 1.0}, join_timeout=300.0
)


@pytest.mark.parametrize("settings", [HEAD, WORKER], ids=["head", "worker"])
def test_launcher_text(settings: NodeSettings) -> None:
    """After a change that is meant: write the new text into tests/unit/golden and read the difference."""
    rendered = render_launcher(settings, "x.py").text
    assert rendered == (GOLDEN / f"{settings.role}_launcher.py.txt").read_text()


@pytest.mark.parametrize("settings", [HEAD, WORKER], ids=["head", "worker"])
def test_a_launcher_is_fit_for_a_notebook_kernel(settings: NodeSettings) -> None:
    text = render_launcher(settings, "x.py").text
    code = text.split('"""', 2)[2]
    compile(text, "x.py", "exec")
    assert "__file__" not in code
    assert "sys.exit" not in code
    assert "{{" not in text


def test_the_settings_come_out_as_they_went_in() -> None:
    nasty = replace(WORKER, labels={"quotes": '"""', "backslash": "\\n", "braces": "{{ x }}"})
    names: dict[str, object] = {}
    settings_part = render_launcher(nasty, "x.py").text.split("SETTINGS = ", 1)[1].split("\n\nNODE", 1)[0]
    exec(f"SETTINGS = {settings_part}", names)  # noqa: S102 (what the kernel does with it)
    assert parse(str(names["SETTINGS"])) == nasty


def test_fingerprints_follow_the_text() -> None:
    first = render_launcher(HEAD, "x.py")
    assert first.fingerprint == render_launcher(HEAD, "elsewhere.py").fingerprint
    assert first.fingerprint != render_launcher(replace(HEAD, cpu=4), "x.py").fingerprint


def run(text: str, project: Path) -> subprocess.CompletedProcess[str]:
    """Run a launcher as a bare interpreter without site-packages would."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", text], cwd=project, env={}, capture_output=True, text=True, timeout=30
    )


def bring_python(project: Path, script: str) -> Path:
    """An environment in the project, whose Python is a script."""
    ready = project / layout.environment_ready_file(HEAD.environment)
    program = ready.parent / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(script)
    program.chmod(0o755)
    ready.write_text("{}")
    return program


def test_without_its_environment_a_launcher_says_how_to_get_it(tmp_path: Path) -> None:
    done = run(render_launcher(WORKER, "x.py").text, tmp_path)
    said = "gpu-0: the environment ray-0123456789ab is not in this project. Build it with the job"
    assert done.returncode != 0
    assert said in done.stderr
    assert said in (tmp_path / layout.node_log_file("ray", "gpu-0")).read_text()


def test_an_agent_that_fails_makes_its_launcher_fail(tmp_path: Path) -> None:
    program = bring_python(tmp_path, '#!/bin/sh\necho "$CAI_DEPLOY_NODE $@"\nexit 7\n')
    done = run(render_launcher(HEAD, "x.py").text, tmp_path)
    assert done.stdout == "head -m cai_deploy.node head\n"
    assert "head: the node agent ended with status 7" in done.stderr
    program.write_text("#!/bin/sh\nexit 0\n")
    assert run(render_launcher(HEAD, "x.py").text, tmp_path).returncode == 0


def test_a_launcher_whose_program_knows_no_copies_starts_from_the_shared_environment(tmp_path: Path) -> None:
    program = bring_python(tmp_path, '#!/bin/sh\necho "$0"\n')
    (program.parents[1] / layout.COPY_NOTE).write_text("{}")
    done = run(render_launcher(HEAD, "x.py").text, tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"{program}\n"
    told = (tmp_path / layout.node_log_file("ray", "head")).read_text()
    assert "head: no copy of the environment on this machine: No module named 'cai_deploy'" in told


WARNED = """
import os, pathlib, signal, sys, time
def heard(number, frame):
    sys.exit(int(sys.argv[1]))
signal.signal(signal.SIGUSR1, heard)
pathlib.Path("ready").touch()
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("status", [0, 7])
def test_the_warning_that_the_time_ends_reaches_the_agent(status: int, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(WARNED)
    bring_python(tmp_path, f"#!/bin/sh\nexec {sys.executable} agent.py {status}\n")
    text = render_launcher(HEAD, "x.py").text
    launcher = subprocess.Popen([sys.executable, "-I", "-S", "-c", text], cwd=tmp_path, env={}, stderr=subprocess.PIPE)
    eventually((tmp_path / "ready").exists)
    launcher.send_signal(signal.SIGUSR1)
    _, told = launcher.communicate(timeout=30)
    assert bool(launcher.returncode) is bool(status), "a warning is no order to end"
    assert (b"the node agent ended with status 7" in told) is bool(status)
