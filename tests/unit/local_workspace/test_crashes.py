"""kill -9 of the server at any moment: what was acknowledged is there afterwards, and nothing is left over."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cai_deploy.local_workspace import process
from cai_deploy.local_workspace.process_table import start_time

from .conftest import SERVER_SCRIPT, Client, eventually, processes_of

OPERATIONS, KILLS = 50, 6


class Killed(Exception):
    """The server went away before it answered."""


class Story:
    """Random operations on a workspace, and what has been acknowledged of them."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.client = client
        self.chance = chance
        self.number = 0
        self.projects: dict[str, str] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.objects: dict[str, dict[str, Any]] = {}  # path -> fields that must be found again
        self.gone: set[str] = set()

    def step(self) -> None:
        """One operation; Killed when nobody answered."""
        self.number += 1
        operations: list[Callable[[], None]] = [self.create_project]
        if self.projects:
            operations += [self.upload, self.create_job, self.create_application]
        if self.objects:
            operations += [self.patch, self.act, self.delete]
        with self.answered():
            self.chance.choice(operations)()

    @contextlib.contextmanager
    def answered(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            raise Killed from error

    def project_of(self, path: str) -> str:
        return path.split("/")[1]

    def create_project(self) -> None:
        name = f"project-{self.number}"
        made = self.client.post("projects", {"name": name, "environment": {"A": name}})
        self.projects[made["id"]] = name
        self.upload_to(made["id"], "job.py", b"import time; time.sleep(0.2)")

    def upload(self) -> None:
        self.upload_to(self.chance.choice(list(self.projects)), f"d/file-{self.number}", os.urandom(1000))

    def upload_to(self, project: str, path: str, content: bytes) -> None:
        self.client.upload(project, path, content)
        self.files[project, path] = content

    def create_job(self) -> None:
        project = self.chance.choice([project for project, path in self.files if path == "job.py"] or [""])
        if project:
            job = self.client.job(project, "job.py", name=f"job-{self.number}")
            path = f"projects/{project}/jobs/{job['id']}"
            self.objects[path] = {"name": job["name"]}
            run = self.client.post(f"{path}/runs", {"arguments": f"run-{self.number}"})
            self.objects[f"{path}/runs/{run['id']}"] = {"arguments": run["arguments"]}

    def create_application(self) -> None:
        project = self.chance.choice(list(self.projects))
        path = self.client.application(project, f"crash-{self.number}", "exec sleep 1000")
        self.objects[path] = {"subdomain": f"crash-{self.number}"}

    def patch(self) -> None:
        path = self.chance.choice([path for path in self.objects if "/runs/" not in path] or [""])
        if path:
            self.objects[path].pop("name", None)  # either of the two, until it is acknowledged
            self.client.patch(path, {"name": f"renamed-{self.number}"})
            self.objects[path]["name"] = f"renamed-{self.number}"

    def act(self) -> None:
        path = self.chance.choice(
            [path for path in self.objects if "/applications/" in path or "/runs/" in path] or [""]
        )
        if path:
            self.client.post(f"{path}:{'stop' if '/runs/' in path else self.chance.choice(['stop', 'restart'])}")

    def delete(self) -> None:
        path = self.chance.choice([path for path in self.objects if "/runs/" not in path])
        below = {each: fields for each, fields in self.objects.items() if each.startswith(path)}
        for each in below:  # until it is acknowledged it may be there or not
            del self.objects[each]
        self.client.delete(path)
        self.gone.add(path)

    def check(self) -> None:
        """All that was acknowledged is there."""
        names = {each["id"]: each["name"] for each in self.client.get("projects?page_size=1000")["projects"]}
        assert self.projects.items() <= names.items()
        for (project, path), content in self.files.items():
            assert self.client.download(project, path) == content
        for path, fields in self.objects.items():
            assert fields.items() <= self.client.get(path).items(), path
        for path in self.gone:
            assert self.client.ask("GET", path).status_code == 404, path


@pytest.mark.parametrize("mode", ["loopback", None])
def test_nothing_acknowledged_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str | None) -> None:
    seed = int(os.environ.get("CRASH_SEED", "20261121"))  # any other number explores further
    print(f"CRASH_SEED={seed}")
    chance = random.Random(seed)
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
    monkeypatch.delenv("CAI_DEPLOY_POD_MODE", raising=False)
    if mode:
        monkeypatch.setenv("CAI_DEPLOY_POD_MODE", mode)
    story = Story(Client(process.start()), chance)
    killed, scratch = 0, set[str]()
    deadly = set(chance.sample(range(3, OPERATIONS), KILLS))
    try:
        for number in range(OPERATIONS):
            if number in deadly:
                pid = story.client.endpoint.pid
                bomb = threading.Timer(chance.uniform(0, 0.03), os.kill, (pid, signal.SIGKILL))
                bomb.start()
                with contextlib.suppress(Killed):
                    while start_time(pid):
                        story.step()
                bomb.join()
                eventually(lambda pid=pid: start_time(pid) == 0)
                killed += 1
                scratch |= _noted_scratch()
                story.client = Client(process.start())
                story.check()
            else:
                story.step()
        story.check()
        _everything_comes_to_an_end(story, scratch | _noted_scratch())
    finally:
        process.stop()
    assert killed == KILLS
    assert processes_of(tmp_path) == []


def _everything_comes_to_an_end(story: Story, scratch: set[str]) -> None:
    """Runs end, and with the projects go all directories, pods and scratch directories."""
    client = story.client
    for path in story.objects:
        if "/runs/" in path:
            client.end_of(path)
    for project in [each["id"] for each in client.get("projects?page_size=1000")["projects"]]:
        client.delete(f"projects/{project}")
    assert client.local("GET", "status")["pods_running"] == 0
    assert list((process.home() / "projects").iterdir()) == []
    assert [path for path in scratch if Path(path).exists()] == []


def _noted_scratch() -> set[str]:
    """The directories below /tmp that the records know of."""
    with contextlib.closing(sqlite3.connect(process.home() / "records.sqlite")) as database:
        rows = database.execute("SELECT json_extract(inner, '$.pod.scratch') FROM records")
        return {scratch for (scratch,) in rows if scratch}


def test_a_running_application_is_found_again_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
    client = Client(process.start())
    try:
        project = client.project()
        client.upload(project, "server.py", SERVER_SCRIPT)
        path = client.application(project, "survivor", "server.py", cpu=2)
        client.until(path, "APPLICATION_RUNNING")
        before = client.local("GET", f"applications/{path.rpartition('/')[2]}")
        os.kill(client.endpoint.pid, signal.SIGKILL)
        eventually(lambda: start_time(client.endpoint.pid) == 0)
        client = Client(process.start())
        assert client.get(path)["status"] == "APPLICATION_RUNNING"
        assert client.local("GET", f"applications/{path.rpartition('/')[2]}") == before
        assert client.visit("survivor").status_code == 200
        assert client.get("usersquota")["user_quota"][0]["quota_usage"]["cpu"] == "2"
    finally:
        process.stop()


def test_pods_that_died_with_the_server_have_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
    client = Client(process.start())
    try:
        project = client.project()
        client.upload(project, "server.py", SERVER_SCRIPT)
        client.upload(project, "x.py", "import time; time.sleep(1000)")
        path = client.application(project, "victim", "server.py")
        job = client.job(project, "x.py")
        run = f"projects/{project}/jobs/{job['id']}/runs"
        run = f"{run}/{client.post(run)['id']}"
        client.until(path, "APPLICATION_RUNNING")
        eventually(lambda: client.get(run)["status"] == "ENGINE_RUNNING")
        for line in processes_of(tmp_path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
        eventually(lambda: processes_of(tmp_path) == [])
        client = Client(process.start())
        eventually(lambda: client.get(path)["status"] == "APPLICATION_FAILED")
        assert client.end_of(run) == "ENGINE_FAILED"
        client.post(f"{path}:restart")
        client.until(path, "APPLICATION_RUNNING")
    finally:
        process.stop()


def test_tuned_settings_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_WORKSPACE_SETTINGS", '{"restart_pause": 7, "quota": {"gpu": 1}}')
    client = Client(process.start())
    try:
        client.local("PATCH", "settings", {"quota": {"cpu": 2}, "delays": {"run-starting": "never"}})
        os.kill(client.endpoint.pid, signal.SIGKILL)
        eventually(lambda: start_time(client.endpoint.pid) == 0)
        settings = Client(process.start()).local("GET", "settings")
        assert settings["quota"] == {"cpu": 2, "memory": None, "gpu": 1}
        assert (settings["delays"]["run-starting"], settings["restart_pause"]) == ("never", 7)
    finally:
        process.stop()
