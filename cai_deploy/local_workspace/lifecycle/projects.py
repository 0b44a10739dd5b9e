"""A project's life: creating, while git really clones, then success or failure; at the end it takes all along."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import Any

from cai_deploy.local_workspace import records
from cai_deploy.local_workspace.faults.rules import Kind
from cai_deploy.local_workspace.git import CloneFailed, clone
from cai_deploy.local_workspace.lifecycle.applications import Applications
from cai_deploy.local_workspace.lifecycle.jobs import Jobs
from cai_deploy.local_workspace.store import Record, new_id
from cai_deploy.local_workspace.workspace import Workspace

log = logging.getLogger("local_workspace.projects")


class Projects:
    """Creates and deletes projects."""

    def __init__(self, workspace: Workspace, applications: Applications, jobs: Jobs) -> None:
        self._workspace = workspace
        self._applications = applications
        self._jobs = jobs

    def create(self, body: dict[str, Any]) -> Record:
        """A new project; its directory is filled in the background."""
        identifier = new_id()
        inner = {
            **{name: body.get(name) or "" for name in ("git_url", "git_ref", "parent_project")},
            "number": self._workspace.store.count_up("project"),
            "reason": "",
        }
        record = Record("project", identifier, identifier, records.project(identifier, body), inner)
        self._workspace.home.project(identifier).mkdir(mode=0o700, parents=True)
        self._workspace.store.put(record)
        self._fill_in_background(record)
        return record

    def recover(self) -> None:
        """Go on with the projects that a crash left half made; what belongs to none goes away."""
        known = {record.id for record in self._workspace.store.list("project")}
        directories = [path for path in self._workspace.home.project("").iterdir() if path.name not in known]
        for path in [*directories, *self._workspace.home.drafts.iterdir()]:
            log.info("%s belongs to no project and is removed", path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for record in self._workspace.store.list("project"):
            if record.inner.get("deleting"):
                self._workspace.in_background(f"delete {record.id}", self._delete(record.id))
            elif record.shown["creation_status"] == "creating":
                self._fill_in_background(record)

    async def delete(self, record: Record) -> None:
        """End everything of the project, then remove its directory; on return nothing is left."""
        record.inner["deleting"] = True
        self._workspace.store.put(record)
        await self._workspace.in_background(f"delete {record.id}", self._delete(record.id))

    async def _delete(self, project_id: str) -> None:
        store = self._workspace.store
        await self._workspace.cancel(f"project {project_id}")
        ends = [self._applications.delete(record) for record in store.list("application", project_id)]
        ends += [self._jobs.delete(record) for record in store.list("job", project_id)]
        await asyncio.gather(*ends)
        await asyncio.to_thread(shutil.rmtree, self._workspace.home.project(project_id), ignore_errors=True)
        store.delete("project", project_id)

    def _fill_in_background(self, record: Record) -> None:
        self._workspace.in_background(f"project {record.id}", self._fill(record.id))

    async def _fill(self, project_id: str) -> None:
        record = self._workspace.require("project", project_id)
        directory = self._workspace.home.project(project_id)
        status, reason = "success", ""
        if self._workspace.faults.strikes(Kind.CREATION_FAILURE, record):
            status, reason = "failure", "a fault was asked for"
        elif url := record.inner["git_url"]:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
            directory.mkdir(mode=0o700)
            try:
                await clone(url, record.inner["git_ref"], directory)
            except CloneFailed as error:
                status, reason = "failure", str(error)
                log.warning("project %s: git failed: %s", project_id, error)
        elif parent := record.inner.get("parent_project"):
            source = self._workspace.home.project(parent)
            await asyncio.to_thread(shutil.copytree, source, directory, symlinks=True, dirs_exist_ok=True)
        await self._workspace.delays.wait("project-created", project_id)
        record = self._workspace.require("project", project_id)
        record.shown["creation_status"] = status
        record.inner["reason"] = reason
        record.shown["updated_at"] = records.now()
        self._workspace.store.put(record)
