"""A project's life: creating, while git really clones, then success or failure; at the end it takes all along."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from typing import Any

from cai_deploy.errors import CommandFailed
from cai_deploy.local_workspace import records
from cai_deploy.local_workspace.lifecycle.applications import Applications
from cai_deploy.local_workspace.lifecycle.jobs import Jobs
from cai_deploy.local_workspace.store import Record, new_id
from cai_deploy.local_workspace.workspace import Workspace
from cai_deploy.shell import run

log = logging.getLogger("local_workspace.projects")
CLONE_TIMEOUT = 900.0


class Projects:
    """Creates and deletes projects."""

    def __init__(self, workspace: Workspace, applications: Applications, jobs: Jobs) -> None:
        self._workspace = workspace
        self._applications = applications
        self._jobs = jobs

    def create(self, body: dict[str, Any]) -> Record:
        """A new project; its directory is filled in the background."""
        identifier = new_id()
        inner = {"git_url": body.get("git_url") or "", "git_ref": body.get("git_ref") or ""}
        record = Record("project", identifier, identifier, records.project(identifier, body), inner)
        self._workspace.store.put(record)
        self._fill_in_background(record)
        return record

    def recover(self) -> None:
        """Go on with the projects that a crash left half made."""
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
        await self._workspace.finished(f"project {project_id}")
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
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        directory.mkdir(mode=0o700, parents=True)
        status = "success"
        if url := record.inner["git_url"]:
            try:
                await asyncio.to_thread(clone, url, record.inner["git_ref"], str(directory))
            except CommandFailed as error:
                status = "failure"
                log.warning("project %s: git failed: %s", project_id, without_credentials(error.output_tail))
        record = self._workspace.require("project", project_id)
        record.shown["creation_status"] = status
        record.shown["updated_at"] = records.now()
        self._workspace.store.put(record)


def clone(url: str, ref: str, directory: str) -> None:
    """Clone ``url`` and check out a branch, a tag or a commit. Never asks anybody for a password."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    }
    run(["git", "clone", "--quiet", "--", url, directory], env=environment, timeout=CLONE_TIMEOUT)
    if ref:
        # A ref may look like an option; git's own check refuses such names, and so does --end-of-options.
        command = ["git", "-C", directory, "checkout", "--quiet", "--end-of-options", ref]
        run(command, env=environment, timeout=CLONE_TIMEOUT)


def without_credentials(text: str) -> str:
    """Text with user and password cut out of every address in it."""
    return re.sub(r"://[^/@\s]+@", "://", text)
