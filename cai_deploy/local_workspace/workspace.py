"""The workspace as one thing: its records, its pods, its runtimes, its key. What routes and life-cycles hold on to.

It assembles and looks up; it decides nothing. How things live is in ``lifecycle``, what is allowed in ``rules``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from cai_deploy.local_workspace import rules, runtimes
from cai_deploy.local_workspace.delays import Delays
from cai_deploy.local_workspace.faults.ledger import Faults
from cai_deploy.local_workspace.home import Home, write_private
from cai_deploy.local_workspace.pods import Pods
from cai_deploy.local_workspace.quota import Quota
from cai_deploy.local_workspace.runtimes import Runtime
from cai_deploy.local_workspace.settings import Settings
from cai_deploy.local_workspace.store import Record, Store

log = logging.getLogger("local_workspace")


class Site(Protocol):
    """A listening socket on which the API can be served and given up."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Workspace:
    """Everything that belongs to one running workspace."""

    def __init__(self, home: Home, store: Store, pods: Pods, *, api_key: str, port: int, settings: Settings) -> None:
        self.home = home
        self.store = store
        self.pods = pods
        self.api_key = api_key
        self.port = port
        self.settings = settings
        self.delays = Delays(lambda: self.settings)
        self.quota = Quota(lambda: self.settings)
        self.faults = Faults(store)
        self.serve_on: Callable[[socket.socket], Site] | None = None
        self._runtimes: asyncio.Task[list[Runtime]] | None = None
        self._tools: dict[str, Path] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def change_settings(self, settings: Settings) -> None:
        """Keep other settings, from now on and for the next start."""
        write_private(self.home.settings_file, json.dumps(settings.shown(), indent=1))
        self.settings = settings
        self.delays.settings_changed()
        self.quota.look_again()

    async def runtimes(self) -> list[Runtime]:
        """The runtimes on offer; looked for once, at first need."""
        if self._runtimes is None:
            self._runtimes = asyncio.create_task(asyncio.to_thread(runtimes.discover))
        return await self._runtimes

    async def runtime(self, identifier: str) -> Runtime:
        """One runtime; without an identifier (a legacy engine) the workspace's own Python."""
        offered = await self.runtimes()
        return next((runtime for runtime in offered if runtime.identifier == identifier), offered[0])

    def tools(self, runtime: Runtime) -> Path:
        """The directory at the front of the PATH of workloads with this runtime."""
        if runtime.version not in self._tools:
            self._tools[runtime.version] = runtimes.tools_directory(self.home, runtime)
        return self._tools[runtime.version]

    def require(self, kind: str, identifier: str, project_id: str | None = None) -> Record:
        """The record, or a 404."""
        record = self.store.find(kind, identifier)
        if record is None or (project_id is not None and record.project_id != project_id):
            raise rules.not_found(f"{kind} {identifier}")
        return record

    def in_background(self, key: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` as the one task for ``key``, unless one is under way."""
        current = self._tasks.get(key)
        if current and not current.done():
            work.close()
            return current
        task = self._tasks[key] = asyncio.create_task(_logged(key, work), name=key)
        task.add_done_callback(lambda _: work.close())  # it may have been cancelled before it began
        task.add_done_callback(lambda done: self._tasks.pop(key) if self._tasks.get(key) is done else None)
        return task

    async def finished(self, key: str) -> None:
        """Wait until the task for ``key`` has come to its end."""
        task = self._tasks.get(key)
        if task:
            await asyncio.wait([task])

    async def cancel(self, key: str) -> None:
        """End the task for ``key`` where it stands."""
        if task := self._tasks.get(key):
            task.cancel()
            await asyncio.wait([task])

    async def cancel_tasks(self) -> None:
        """End all background work where it stands."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _logged(key: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("background work for %s failed", key)
