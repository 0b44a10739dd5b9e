"""Puts the workspace together and serves it on 127.0.0.1 until it is told to end.

SIGTERM is the orderly end: every workload is stopped first. A crash stops nothing; the next server finds the pods.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

from aiohttp import web

from cai_deploy.errors import DeployError
from cai_deploy.local_workspace import proxy
from cai_deploy.local_workspace.console.door import door
from cai_deploy.local_workspace.contract.documents import documents
from cai_deploy.local_workspace.faults import routes as faults
from cai_deploy.local_workspace.faults.middleware import misfortune
from cai_deploy.local_workspace.guests import Guests
from cai_deploy.local_workspace.handoff import GUESTS
from cai_deploy.local_workspace.home import Home, write_private
from cai_deploy.local_workspace.keeper import end_without_keeper
from cai_deploy.local_workspace.lifecycle.applications import Applications
from cai_deploy.local_workspace.lifecycle.jobs import Jobs
from cai_deploy.local_workspace.lifecycle.projects import Projects
from cai_deploy.local_workspace.pod_modes import PodMode
from cai_deploy.local_workspace.pods import Pods
from cai_deploy.local_workspace.process_table import start_time
from cai_deploy.local_workspace.routes import all_routes
from cai_deploy.local_workspace.routes.http import APPLICATIONS, JOBS, PROJECTS, WORKSPACE, guard
from cai_deploy.local_workspace.settings import Settings
from cai_deploy.local_workspace.store import Store
from cai_deploy.local_workspace.workspace import Workspace

log = logging.getLogger("local_workspace.server")
LOOPBACK = "127.0.0.1"


async def serve(home: Home, port: int, mode: PodMode, note: str, *, implicit: bool, settings: Settings) -> None:
    """Run the workspace in ``home`` until SIGTERM or SIGINT."""
    home.make()
    _hold(home)
    identity = _identity(home)
    listener = _listener(port or int(identity.get("port", 0)), exact=bool(port))
    port = listener.getsockname()[1]
    api_key = identity.get("api_key") or secrets.token_hex(32)
    write_private(home.identity_file, json.dumps({"port": port, "api_key": api_key}))

    store = Store(home.database)
    pods = Pods(home, store, mode)
    workspace = Workspace(home, store, pods, api_key=api_key, port=port, settings=settings)
    applications, jobs = Applications(workspace), Jobs(workspace)
    projects = Projects(workspace, applications, jobs)
    await pods.attach()

    app = web.Application(middlewares=[proxy.ingress, door(), misfortune, documents, guard], client_max_size=64 << 20)
    app[GUESTS] = Guests()
    app[WORKSPACE], app[PROJECTS], app[JOBS], app[APPLICATIONS] = workspace, projects, jobs, applications
    app.on_response_prepare.append(proxy.leave_untyped)
    app.add_routes(all_routes())
    faults.install(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    await pods.end_strangers(_known_pods(store))
    workspace.serve_on = lambda inside: web.SockSite(runner, inside)
    for living in (projects, jobs, applications):
        living.recover()
    jobs.follow_schedules()
    await web.SockSite(runner, listener).start()  # not before: a new pod must not be taken for one of the last time

    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    write_private(home.endpoint_file, json.dumps(_endpoint(port, api_key, mode, note, implicit=implicit), indent=1))
    log.info("workspace answers at http://localhost:%d; pods: %s", port, note)
    workspace.in_background("keeper", end_without_keeper(ending))
    await ending.wait()

    log.info("workspace ends")
    workspace.delays.lift()
    await asyncio.gather(applications.stop_all(), jobs.stop_all())
    await workspace.cancel_tasks()
    await pods.end_all()
    home.endpoint_file.unlink(missing_ok=True)
    await runner.cleanup()
    store.close()


def _known_pods(store: Store) -> set[str]:
    workloads = [*store.list("application"), *store.list("run")]
    return {record.inner["pod"]["name"] for record in workloads if record.inner["pod"]}


def _endpoint(port: int, api_key: str, mode: PodMode, note: str, *, implicit: bool) -> dict[str, Any]:
    return {
        "host": f"http://localhost:{port}",
        "api_key": api_key,
        "pid": os.getpid(),
        "start_time": start_time(os.getpid()),
        "pod_mode": mode.value,
        "note": note,
        "implicit": implicit,
    }


def _hold(home: Home) -> None:
    """One server for one home: the lock is held as long as this process lives."""
    descriptor = os.open(home.root / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise DeployError(f"another workspace runs in {home.root}") from None


def _identity(home: Home) -> dict[str, Any]:
    try:
        identity = json.loads(home.identity_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return identity if isinstance(identity, dict) else {}


def _listener(port: int, *, exact: bool) -> socket.socket:
    """Listen on ``port``; when that was only the one of the last time and is taken, on a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        if exact:
            raise DeployError(f"port {port} of {LOOPBACK} is taken", next_step="use another --port") from None
        listener.bind((LOOPBACK, 0))
    return listener


def home_at(path: Path) -> Home:
    """The home in a directory, by its real path: sockets and locks must not depend on how it was spelt."""
    return Home(Path(os.path.realpath(path)))
