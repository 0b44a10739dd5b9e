"""An application's life: starting until its port answers HTTP, running until its process ends, which is a failure.

The record says which generation is wanted (0 for none) and which pod there is. A request only changes what is wanted;
one task for each application brings the pod in line, whatever happened in between. After a failure the workspace
itself wants it again, a few times with a pause before each (``retry_at``); until then it is shown as failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cai_deploy.local_workspace import records, rules, workloads
from cai_deploy.local_workspace.faults.rules import Kind
from cai_deploy.local_workspace.lifecycle.probe import Probe
from cai_deploy.local_workspace.lifecycle.waiting import unless
from cai_deploy.local_workspace.pods import new_scratch, remove_scratch
from cai_deploy.local_workspace.quota import wanted_by
from cai_deploy.local_workspace.store import Record, new_id
from cai_deploy.local_workspace.workloads import PodNote
from cai_deploy.local_workspace.workspace import Site, Workspace

log = logging.getLogger("local_workspace.applications")
KIND = "application"


class Applications:
    """Starts, stops and deletes applications."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._probe = Probe(workspace.pods)
        self._kicks: dict[str, asyncio.Event] = {}
        self._doors: dict[str, Site] = {}

    def create(self, project: Record, body: dict[str, Any]) -> Record:
        """A new application, which starts at once. The project's variables are copied into it for good."""
        environment = records.environment_of(project.shown) | (body.get("environment") or {})
        identifier = new_id()
        shown = records.application(identifier, body, environment)
        inner = {"wanted": 1, "generation": 1, "pod": None, "attempts": 0, "retry_at": None}
        record = Record(KIND, identifier, project.id, shown, inner)
        self._store.put(record)
        self._kick(identifier)
        return record

    def start(self, identifier: str) -> Record:
        """Start it, or start it anew when it runs; one that waits for its next attempt starts at once."""
        record = self._workspace.require(KIND, identifier)
        record.inner["attempts"] = 0
        self._want_again(record)
        self._kick(identifier)
        return record

    def stop(self, identifier: str) -> Record:
        """Stop it; one at rest stays as it is, and makes no further attempt."""
        record = self._workspace.require(KIND, identifier)
        self._want_none(record, self._store.put)
        return record

    async def delete(self, record: Record) -> None:
        """Stop it and forget it; on return nothing of it runs."""
        record = self._workspace.require(KIND, record.id)
        record.inner["deleting"] = True
        self._store.note(record)  # what is promised is that it is gone in the end
        self._want_none(record, self._store.note)
        self._workspace.delays.release(record.id)
        await self._workspace.in_background(f"delete {record.id}", self._delete(record.id))

    def recover(self) -> None:
        """Take up every application where a former server left it."""
        for record in self._store.list(KIND):
            pod = self.pod_of(record)
            if pod and self._workspace.pods.status(pod.name) is None and _is_starting(record):
                remove_scratch(pod.scratch)  # the crash came before the pod, or after its end: start it now
                record.inner["pod"] = None
                self._store.put(record)
            elif pod:
                self._workspace.quota.hold(record.id, wanted_by(record.shown))
            if record.inner.get("deleting"):
                self.stop(record.id)
                self._workspace.delays.release(record.id)
                self._workspace.in_background(f"delete {record.id}", self._delete(record.id))
            elif record.shown["status"] not in rules.APPLICATION_AT_REST or pod or record.inner.get("retry_at"):
                if record.shown["status"] == "APPLICATION_RUNNING" and not record.inner["pod"]:
                    self._want_again(record)
                self._kick(record.id)

    async def stop_all(self) -> None:
        """Bring every application to rest."""
        identifiers = [record.id for record in self._store.list(KIND)]
        for identifier in identifiers:
            self.stop(identifier)
        await asyncio.gather(*(self._workspace.finished(f"application {identifier}") for identifier in identifiers))

    def pod_of(self, record: Record) -> PodNote | None:
        """The pod that stands for the application at the moment."""
        return PodNote(**record.inner["pod"]) if record.inner["pod"] else None

    async def _delete(self, identifier: str) -> None:
        await self._workspace.finished(f"application {identifier}")
        self._store.delete(KIND, identifier)
        self._kicks.pop(identifier, None)
        self._workspace.delays.forget(identifier)

    def _kick(self, identifier: str) -> None:
        self._kicks.setdefault(identifier, asyncio.Event()).set()
        self._workspace.in_background(f"application {identifier}", self._lead(identifier))

    async def _lead(self, identifier: str) -> None:
        kick = self._kicks[identifier]
        while record := self._store.find(KIND, identifier):
            kick.clear()
            pod, wanted = self.pod_of(record), record.inner["wanted"]
            if pod and pod.generation != wanted:
                await self._workspace.pods.stop(pod.name, self._workspace.settings.stop_grace)
                await self._clear(identifier, pod)
            elif pod:
                await self._follow(record, pod, kick)
            elif wanted:
                if await unless(kick, self._admission(record, kick)):
                    if kick.is_set():  # both at once: what is wanted now comes first
                        self._workspace.quota.give_back(identifier)
                    elif self._workspace.faults.strikes(Kind.NO_POD, record):
                        await self._do_without_pod(identifier, kick)
                    else:
                        await self._start_pod(self._workspace.require(KIND, identifier))
            elif record.inner.get("retry_at"):
                left = -records.seconds_since(record.inner["retry_at"])
                if await unless(kick, asyncio.sleep(max(0.0, left))):
                    record = self._workspace.require(KIND, identifier)
                    record.inner["attempts"] += 1
                    self._want_again(record)
            elif record.shown["status"] != "APPLICATION_STOPPING":
                return
            elif await unless(kick, self._delay("application-stopped", identifier)):
                _move(record, "APPLICATION_STOPPED")
                record.shown["stopped_at"] = records.now()
                self._store.note(record)

    async def _delay(self, transition: str, identifier: str) -> None:
        await self._workspace.delays.wait(transition, identifier)

    async def _admission(self, record: Record, kick: asyncio.Event) -> None:
        """Wait until its pod may start: for its time, and for its share of the quota."""
        await self._workspace.faults.hold(Kind.STUCK_SCHEDULING, record, kick)
        await self._delay("application-starting", record.id)
        await self._workspace.quota.admission(record.id, wanted_by(record.shown))

    def _want_none(self, record: Record, write: Callable[[Record], None]) -> None:
        if record.inner.get("retry_at"):
            record.inner["retry_at"] = None
            write(record)
            self._kick(record.id)
        if record.shown["status"] not in rules.APPLICATION_AT_REST:
            record.inner["wanted"] = 0
            _move(record, "APPLICATION_STOPPING")
            write(record)
            self._kick(record.id)

    def _want_again(self, record: Record) -> None:
        """A new generation from here on."""
        record.inner["generation"] += 1
        record.inner["wanted"] = record.inner["generation"]
        record.inner["retry_at"] = None
        _move(record, "APPLICATION_STARTING")
        record.shown |= {"starting_at": records.now(), "running_at": None}
        self._store.put(record)

    async def _do_without_pod(self, identifier: str, kick: asyncio.Event) -> None:
        """Show it as running until something else is wanted; once no rule says so any more, it starts in truth."""
        if await unless(kick, self._delay("application-running", identifier)):
            record = self._workspace.require(KIND, identifier)
            self._show_running(record)
            await self._workspace.faults.hold(Kind.NO_POD, record, kick)
        self._workspace.quota.give_back(identifier)
        if not kick.is_set():
            self._want_again(self._workspace.require(KIND, identifier))

    async def _start_pod(self, record: Record) -> None:
        generation = record.inner["wanted"]
        place = self._workspace.pods.new_place()
        pod = PodNote(f"{record.id}-{generation}", generation, place.address, place.port, new_scratch())
        record.inner["pod"] = pod.stored()
        self._store.note(record)  # before the start: a crash in between must not leave a pod that nobody knows
        own = records.environment_of(record.shown)
        try:
            script = record.shown["script"]
            spec = await workloads.pod_spec(self._workspace, record.shown, script, record.project_id, pod, own)
            await self._workspace.pods.start(spec, walled=True)
        except Exception as error:
            log.exception("application %s: no pod", record.id)
            _note(self._workspace.home.workload_log(record.id), f"the pod could not start: {error}")
            await self._clear(record.id, pod)
            self._fail(record.id, generation)

    async def _follow(self, record: Record, pod: PodNote, kick: asyncio.Event) -> None:
        """Wait until the pod answers, ends, or something else is wanted."""
        await self._open_door(pod)
        ended = asyncio.create_task(self._workspace.pods.wait_for_end(pod.name))
        kicked = asyncio.create_task(kick.wait())
        waiting: set[asyncio.Task[Any]] = {ended, kicked}
        if record.shown["status"] == "APPLICATION_STARTING":
            waiting.add(asyncio.create_task(self._until_up(record, pod, kick)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if ended in done:
            await self._clear(record.id, pod)
            self._fail(record.id, pod.generation)
        elif kicked not in done:
            record = self._workspace.require(KIND, record.id)
            if record.inner["wanted"] == pod.generation:
                self._show_running(record)

    def _show_running(self, record: Record) -> None:
        _move(record, "APPLICATION_RUNNING")
        record.shown["running_at"] = records.now()
        self._store.note(record)

    async def _until_up(self, record: Record, pod: PodNote, kick: asyncio.Event) -> None:
        await self._workspace.faults.hold(Kind.STUCK_STARTING, record, kick)
        endpoint = records.environment_of(record.shown).get("CDSW_APP_POLLING_ENDPOINT", "/")
        await self._probe.until_it_answers(pod, endpoint)
        await self._delay("application-running", record.id)

    async def connect(self, identifier: str, pod_name: str, *, connected: bool) -> None:
        """Cut a pod's network off, from the other pods, the API and the ingress; or give it back."""
        await self._workspace.pods.connect(pod_name, connected=connected)
        pod = self.pod_of(self._workspace.require(KIND, identifier))
        if connected and pod and pod.name == pod_name:
            await self._open_door(pod)
        elif not connected and (door := self._doors.pop(pod_name, None)):
            await door.stop()

    def _fail(self, identifier: str, generation: int) -> None:
        record = self._workspace.require(KIND, identifier)
        if record.inner["wanted"] == generation:
            settings = self._workspace.settings
            if (
                record.shown["running_at"]
                and records.seconds_since(record.shown["running_at"]) > settings.restart_pause
            ):
                record.inner["attempts"] = 0  # it ran for long: this is another failure
            if record.inner.setdefault("attempts", 0) < settings.restart_attempts:
                moment = datetime.now(timezone.utc) + timedelta(seconds=settings.restart_pause)
                record.inner["retry_at"] = records.written(moment)
            record.inner["wanted"] = 0
            _move(record, "APPLICATION_FAILED")
            record.shown["stopped_at"] = records.now()
            self._store.put(record)

    async def _open_door(self, pod: PodNote) -> None:
        """A pod with a network of its own finds the API where its CDSW_API_URL says: on its own loopback."""
        if pod.name in self._doors or self._workspace.serve_on is None:
            return
        if inside := await self._workspace.pods.listener(pod.name, self._workspace.port):
            self._doors[pod.name] = self._workspace.serve_on(inside)
            await self._doors[pod.name].start()

    async def _clear(self, identifier: str, pod: PodNote) -> None:
        if door := self._doors.pop(pod.name, None):
            await door.stop()
        status = self._workspace.pods.status(pod.name)
        await self._workspace.pods.clear(pod.name, identifier, pod.scratch)
        self._workspace.quota.give_back(identifier)
        record = self._workspace.require(KIND, identifier)
        record.inner |= {"pod": None, "exit_code": status.exit_code if status else None}
        self._store.note(record)


def _is_starting(record: Record) -> bool:
    pod = record.inner["pod"]
    return bool(record.shown["status"] == "APPLICATION_STARTING" and pod["generation"] == record.inner["wanted"])


def _move(record: Record, state: str) -> None:
    current = record.shown["status"]
    if current != state and not rules.may_follow(current, state):
        raise ValueError(f"application {record.id}: {state} cannot follow {current}")
    record.shown["status"] = state
    record.shown["updated_at"] = records.now()


def _note(path: Path, text: str) -> None:
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(f"--- {text}\n")
