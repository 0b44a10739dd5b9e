"""The command line's end of the local workspace: start it, find it, stop it, ask how it does.

On the path of every command, so imports are light (no aiohttp). It knows the server as a process and an address; the
API is spoken by others.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cai_deploy
from cai_deploy.errors import DeployError
from cai_deploy.local_workspace.home import KUBELETS, Home, write_private
from cai_deploy.local_workspace.kubelet import client
from cai_deploy.local_workspace.process_table import start_time
from cai_deploy.shell import last_lines

START_TIMEOUT = 20.0
STOP_TIMEOUT = 45.0
KUBELET_TIMEOUT = 60.0
"""Seconds. A pod that leaves something behind looks through all processes for it; a thousand at once take long."""
_STATUS_PATH = "/local/v1/status"


@dataclass(frozen=True)
class Endpoint:
    """A workspace that runs."""

    host: str
    api_key: str
    pid: int
    pod_mode: str
    home: Path
    implicit: bool
    note: str

    def __repr__(self) -> str:  # a key must not end up in a log or a traceback
        return f"Endpoint({self.host}, pid {self.pid}, {self.pod_mode}, {self.home})"


def home() -> Path:
    """The workspace's directory."""
    base = os.environ.get("CAI_DEPLOY_HOME")
    return (Path(base) if base else Path.home() / ".cai-deploy") / "workspace"


def log_file() -> Path:
    """Where the server writes."""
    return _home().server_log


def start(*, implicit: bool = False, at: Path | None = None, variables: Mapping[str, str] | None = None) -> Endpoint:
    """The workspace that runs, or a new one; two calls at once start one.

    ``at`` is a home other than the usual one, ``variables`` are added to the server's environment.
    """
    place = _home(at)
    with _locked(place):
        endpoint = find(at)
        if endpoint is None:
            return _launch(place, {**os.environ, **(variables or {})}, implicit=implicit)
        if endpoint.implicit and not implicit:  # from now on somebody wants it by name
            endpoint = replace(endpoint, implicit=False)
            noted = json.loads(place.endpoint_file.read_text(encoding="utf-8"))
            write_private(place.endpoint_file, json.dumps({**noted, "implicit": False}, indent=1))
        return endpoint


def find(at: Path | None = None) -> Endpoint | None:
    """The workspace, if it runs and answers. A pid that has gone to another process is not it."""
    endpoint = _recorded(_home(at))
    return endpoint if endpoint and _ask(endpoint) is not None else None


def status() -> dict[str, Any]:
    """What runs in the workspace; ``{"running": False}`` when it does not run itself."""
    endpoint = _recorded(_home())
    answer = _ask(endpoint) if endpoint else None
    if endpoint is None or answer is None:
        return {"running": False, "home": str(home())}
    shown = {"running": True, "host": endpoint.host, "pid": endpoint.pid, "home": str(endpoint.home)}
    return {**shown, "implicit": endpoint.implicit, "note": endpoint.note, **answer}


def stop(at: Path | None = None) -> bool:
    """Stop every workload, the server and the kubelets; on return nothing of the workspace runs.

    False when nothing ran.
    """
    place = _home(at)
    if not place.root.exists():
        return False
    with _locked(place):
        return _stop(place)


def stop_if_idle() -> bool:
    """Stop a workspace that nobody asked for by name, once nothing runs in it. Records and files are kept."""
    place = _home()
    if not place.root.exists():
        return False
    with _locked(place):
        endpoint = _recorded(place)
        busy = ("applications_active", "job_runs_running", "pods_running")
        account = _ask(endpoint) if endpoint and endpoint.implicit else None
        if account is None or any(account[name] for name in busy):
            return False
        return _stop(place)


def _home(at: Path | None = None) -> Home:
    return Home(Path(os.path.realpath(at or home())))


@contextlib.contextmanager
def _locked(place: Home) -> Iterator[None]:
    place.make()
    descriptor = os.open(place.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _stop(place: Home) -> bool:
    endpoint = _recorded(place)
    if endpoint:
        _end_process(endpoint.pid)
    # Kubelets outlive a server that crashed. All of them are asked, whatever became of the first.
    ended = [_end_kubelet(place.socket(name)) for name in KUBELETS]
    place.endpoint_file.unlink(missing_ok=True)
    place.tidy()
    return endpoint is not None or any(ended)


def _launch(place: Home, environment: Mapping[str, str], *, implicit: bool) -> Endpoint:
    command = [sys.executable, "-m", "cai_deploy.local_workspace", "serve", "--home", str(place.root)]
    if implicit:
        command.append("--implicit")
    if grace := environment.get("CAI_DEPLOY_STOP_GRACE"):
        command += ["--stop-grace", grace]
    package_root = str(Path(cai_deploy.__file__).resolve().parent.parent)
    place.endpoint_file.unlink(missing_ok=True)
    descriptor = os.open(place.server_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        before = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.root,
            env={**environment, "PYTHONPATH": package_root},
            start_new_session=True,
        )
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        endpoint = _recorded(place)
        if endpoint and endpoint.pid == process.pid and _ask(endpoint) is not None:
            process.returncode = 0  # it lives on by design: no warning about a child that is left behind
            return endpoint
        time.sleep(0.01)
    if process.poll() is None:
        _end_process(process.pid)
    with place.server_log.open("rb") as story:
        story.seek(before)
        told = last_lines(story.read().decode(errors="replace"))
    raise DeployError(
        "the local workspace did not start",
        why=told or f"no answer within {START_TIMEOUT:g} seconds",
        next_step=f"read {place.server_log}",
    )


def _recorded(place: Home) -> Endpoint | None:
    try:
        noted = json.loads(place.endpoint_file.read_text(encoding="utf-8"))
        if start_time(noted["pid"]) != noted["start_time"]:
            return None
        fields = {name: noted[name] for name in ("host", "api_key", "pid", "pod_mode", "implicit", "note")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Endpoint(home=place.root, **fields)


def _ask(endpoint: Endpoint) -> dict[str, Any] | None:
    """The server's own account of itself; None when it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(endpoint.host).port, timeout=5)
    try:
        connection.request("GET", _STATUS_PATH, headers={"Authorization": f"Bearer {endpoint.api_key}"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if response.status == http.client.OK and isinstance(answer, dict) else None


def _end_kubelet(path: Path) -> bool:
    """End a kubelet with its pods: it does so itself, this only asks and waits. False when there is none."""
    processes = client.processes_at(path)
    with contextlib.suppress(client.KubeletGone, client.KubeletError):
        client.call(path, {"op": "exit"})
    until = time.monotonic() + KUBELET_TIMEOUT
    while any(map(start_time, processes)):
        if time.monotonic() > until:
            raise DeployError(f"process {processes[0]} of the local workspace does not end")
        time.sleep(0.005)
    return bool(processes)


def _end_process(pid: int) -> None:
    born = start_time(pid)
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):  # reap it where it is our own child
                os.waitpid(pid, os.WNOHANG)
            if born == 0 or start_time(pid) != born:
                return
            time.sleep(0.01)
    raise DeployError(f"process {pid} of the local workspace does not end")
