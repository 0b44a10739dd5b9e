"""The workspace for tests of others: isolated, light to load, gone afterwards; and the example in its page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.testing import LocalWorkspace, local_workspace

PAGE = Path(__file__).parents[2] / "docs" / "local-workspace.md"


def processes_of(directory: Path) -> list[str]:
    """Processes whose command line or environment names ``directory``: whatever belongs to the workspace in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(directory).encode() in told:
                found.append(entry.name)
    return found


def test_it_leaves_nothing() -> None:
    with local_workspace() as workspace:
        assert processes_of(workspace.home) != []
    assert processes_of(workspace.home) == []
    assert not workspace.home.exists()


def test_nothing_is_left_when_a_test_fails_or_the_server_is_killed() -> None:
    with pytest.raises(RuntimeError), local_workspace() as workspace:
        raise RuntimeError
    assert processes_of(workspace.home) == []
    with local_workspace() as workspace:
        (server,) = processes_of(workspace.home)
        os.kill(int(server), signal.SIGKILL)
    assert processes_of(workspace.home) == []
    assert not workspace.home.exists()


def test_a_test_run_that_is_killed_takes_its_workspace_along(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\nfrom cai_deploy.testing import local_workspace\n"
        "with local_workspace(home=pathlib.Path(sys.argv[1])) as ws: print(ws.host, flush=True); time.sleep(1000)"
    )
    home = tmp_path / "home"
    command = [sys.executable, "-c", code, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline().startswith("http://localhost:")
        assert len(processes_of(home)) == 2
        run.kill()
    until = time.monotonic() + 10
    while processes_of(home) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_of(home) == []


def test_workspaces_side_by_side_know_nothing_of_each_other() -> None:
    def count(number: int) -> tuple[str, str, int]:
        with local_workspace() as workspace:
            for _ in range(number):
                workspace.faults.add("drop")
            return workspace.host, workspace.api_key, len(workspace.faults.all())

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(count, range(3)))
    assert [each[2] for each in found] == [0, 1, 2]
    assert len({each[0] for each in found}) == len({each[1] for each in found}) == 3


def test_the_callers_environment_neither_decides_nor_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path / "not here"))
    monkeypatch.setenv("CAI_DEPLOY_POD_MODE", "nonsense")
    monkeypatch.setenv("CAI_DEPLOY_WORKSPACE_SETTINGS", '{"restart_attempts": 99}')
    before = dict(os.environ)
    with local_workspace() as workspace:
        assert dict(os.environ) == before
        assert workspace.pod_mode == "loopback"
        assert workspace.settings()["restart_attempts"] != 99
    assert not (tmp_path / "not here").exists()


def test_a_home_that_is_given_is_kept(tmp_path: Path) -> None:
    with local_workspace(home=tmp_path / "kept") as first:
        assert first.home == tmp_path / "kept"
    with local_workspace(home=tmp_path / "kept") as again:
        assert again.api_key == first.api_key
    assert (tmp_path / "kept" / "records.sqlite").exists()
    assert processes_of(tmp_path) == []


def test_what_a_workspace_tells(local_workspace: LocalWorkspace) -> None:
    assert local_workspace.env() == {"CML_HOST": local_workspace.host, "CML_API_KEY": local_workspace.api_key}
    assert local_workspace.api_key not in repr(local_workspace)
    assert local_workspace.host in local_workspace.logs()
    assert local_workspace.logs("../server") == local_workspace.logs("no-such-id") == ""
    assert local_workspace.status()["projects"] == 0
    assert local_workspace.settings(stop_grace=0.25)["stop_grace"] == 0.25


def test_mistakes_are_said() -> None:
    with pytest.raises(DeployError, match="pod mode"), local_workspace(pods="nonsense"):
        raise AssertionError
    with pytest.raises(ConfigError, match="there is no setting 'grace'") as caught, local_workspace(grace=1):
        raise AssertionError
    assert "Bearer" not in str(caught.value)
    with local_workspace() as workspace:
        fault = workspace.faults.add("drop")
        with pytest.raises(DeployError, match=r"fault-1 did not happen within 0\.05 seconds"):
            workspace.faults.wait_until_fired(fault.id, timeout=0.05)
    with pytest.raises(DeployError, match="does not answer"):
        workspace.status()


def test_the_plugin_loads_next_to_nothing() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import cai_deploy.testing.plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cai_deploy", "cai_deploy.testing", "cai_deploy.testing.plugin"]


def example() -> str:
    _, marker, rest = PAGE.read_text(encoding="utf-8").partition("<!-- executed by tests/unit/test_testing.py -->\n")
    assert marker
    return rest.partition("```python\n")[2].partition("\n```\n")[0]


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["--local-workspace-pods", "auto"]])
def test_the_example_of_the_page_runs_as_it_stands(tmp_path: Path, options: list[str]) -> None:
    text = example()
    assert "cai_deploy" not in text, "the example must do without our deployer"
    (tmp_path / "test_mine.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
