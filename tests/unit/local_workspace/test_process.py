"""Start, find, stop: what the command line relies on."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cai_deploy.local_workspace as package
from cai_deploy.errors import DeployError
from cai_deploy.local_workspace import process
from cai_deploy.local_workspace.home import Home
from cai_deploy.local_workspace.process_table import start_time

from .conftest import SERVER_SCRIPT, Client, eventually, processes_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
    monkeypatch.delenv("CAI_DEPLOY_POD_MODE", raising=False)
    return tmp_path


def test_two_starts_at_once_make_one_server(place: Path) -> None:
    assert process.find() is None
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: process.start(implicit=True), range(2))
    try:
        assert one == other
        assert one.implicit is True
        assert len([line for line in processes_of(place) if "serve" in line]) == 1
        assert process.start(implicit=True) == process.find() == one
        assert (
            process.status() | {"running": True, "applications_running": 0, "pod_mode": one.pod_mode}
            == process.status()
        )
        assert os.getsid(one.pid) == one.pid, "detached from the terminal"
    finally:
        process.stop()
    assert process.find() is None
    assert process.status()["running"] is False
    assert processes_of(place) == []
    process.stop()  # a second one finds nothing to do


def test_a_stop_ends_all_and_a_start_finds_the_records_again(place: Path) -> None:
    client = Client(process.start())
    try:
        project = client.project(name="kept")
        client.upload(project, "server.py", SERVER_SCRIPT)
        path = client.application(project, "kept", "server.py")
        client.until(path, "APPLICATION_RUNNING")
        client.upload(project, "x.py", "import time; time.sleep(1000)")
        job = client.job(project, "x.py")
        run = f"projects/{project}/jobs/{job['id']}/runs"
        run = f"{run}/{client.post(run)['id']}"
        eventually(lambda: client.get(run)["status"] == "ENGINE_RUNNING")
        process.stop()
        assert processes_of(place) == []
        again = process.start()
        assert (again.host, again.api_key) == (client.endpoint.host, client.endpoint.api_key)
        assert client.get(path)["status"] == "APPLICATION_STOPPED"
        assert client.get(run)["status"] == "ENGINE_STOPPED"
        assert client.download(project, "server.py").decode() == SERVER_SCRIPT
    finally:
        process.stop()
    assert processes_of(place) == []


def test_a_stop_after_a_crash_ends_the_pods_too(place: Path) -> None:
    client = Client(process.start())
    try:
        project = client.project()
        client.upload(project, "server.py", SERVER_SCRIPT)
        client.until(client.application(project, "orphan", "server.py"), "APPLICATION_RUNNING")
        os.kill(client.endpoint.pid, signal.SIGKILL)
        eventually(lambda: start_time(client.endpoint.pid) == 0)
        assert processes_of(place) != []
    finally:
        process.stop()
    assert processes_of(place) == []


def test_a_pid_that_went_to_another_process_is_not_the_workspace(place: Path) -> None:
    endpoint = process.start()
    file = process.home() / "workspace.json"
    noted = json.loads(file.read_text())
    process.stop()
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            file.write_text(json.dumps({**noted, "pid": stranger.pid}))
            assert process.find() is None
            process.stop()
            assert stranger.poll() is None, "stop must not touch it"
        finally:
            stranger.kill()
    assert endpoint.pid != stranger.pid


def test_a_run_that_ends_while_no_server_is_there_keeps_its_end(place: Path) -> None:
    client = Client(process.start())
    try:
        project = client.project()
        client.upload(project, "x.py", "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)")
        job = client.job(project, "x.py")
        run = f"projects/{project}/jobs/{job['id']}/runs"
        run = f"{run}/{client.post(run)['id']}"
        eventually(lambda: client.get(run)["status"] == "ENGINE_RUNNING")
        os.kill(client.endpoint.pid, signal.SIGKILL)
        (process.home() / "projects" / project / "go").touch()
        eventually(lambda: processes_of(place) == [])  # a kubelet without server and pods ends by itself
        process.start()
        assert client.end_of(run) == "ENGINE_SUCCEEDED"
    finally:
        process.stop()


def test_only_an_idle_workspace_that_nobody_asked_for_stops_by_itself(place: Path) -> None:
    assert process.stop_if_idle() is False
    client = Client(process.start(implicit=True))
    try:
        project = client.project()
        path = client.application(project, "busy", "sleep 1000")
        assert process.stop_if_idle() is False
        client.delete(path)
        assert process.start(implicit=False).implicit is False
        assert process.stop_if_idle() is False
        assert process.stop() is True
        process.start(implicit=True)
        assert process.stop_if_idle() is True
        assert processes_of(place) == []
    finally:
        assert process.stop() is False


def test_a_taken_port_is_replaced(place: Path) -> None:
    port = int(process.start().host.rpartition(":")[2])
    process.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        try:
            assert process.start().host != f"http://localhost:{port}"
        finally:
            process.stop()


def test_a_start_that_fails_tells_the_servers_last_words(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_POD_MODE", "nonsense")
    with pytest.raises(DeployError, match="nonsense") as caught:
        process.start()
    assert str(process.log_file()) in caught.value.next_step


def test_a_home_with_a_long_path_works(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(place / ("deep" * 20) / ("er" * 20)))
    client = Client(process.start())
    try:
        project = client.project()
        client.upload(project, "x.py", "")
        assert client.run(project, "x.py") == "ENGINE_SUCCEEDED"
        stand_in = Home(process.home()).socket("plain").parent
        assert stand_in.stat().st_mode & 0o777 == 0o700
    finally:
        process.stop()
    assert not stand_in.exists()


def test_the_command_lines_end_is_light(place: Path) -> None:
    heavy = "'aiohttp', 'asyncio', 'sqlite3'"
    code = f"import sys, cai_deploy.local_workspace.process as p; print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_workspace_knows_nothing_of_the_deployer_and_the_kubelet_only_the_standard_library() -> None:
    root = Path(package.__file__).parent
    floor = {"errors", "shell", "layout", "local_workspace"}
    for file in root.rglob("*.py"):
        for name in _imports(file):
            parts = name.split(".")
            if parts[0] == "cai_deploy" and len(parts) > 1:
                assert parts[1] in floor, f"{file} imports {name}"
            if file.parent.name == "kubelet":
                ours = name.startswith("cai_deploy.local_workspace.kubelet")
                assert ours or parts[0] in sys.stdlib_module_names, f"{file} imports {name}"
            if file.name == "engine.py":
                assert parts[0] in sys.stdlib_module_names or parts[0] == "IPython"  # if the runtime has it


def _imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
