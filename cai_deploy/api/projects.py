"""Projects of the workspace. It must not know what a project is for."""

from __future__ import annotations

import builtins

from cai_deploy.api.creation import create_once
from cai_deploy.api.errors import NotFound
from cai_deploy.api.paging import entries, named
from cai_deploy.api.paths import resource
from cai_deploy.api.schemas import CreateProjectRequest, Project
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport

PATH = "projects"


class Projects:
    """The projects that the key's owner has a part in; public ones of others are left out.

    Every method raises ApiError, PlaceUnreachable or UnreadableAnswer.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Project]:
        """All of them."""
        return [Project.read(entry) for entry in entries(self._transport, PATH, "projects")]

    def find(self, name: str) -> Project | None:
        """The project with exactly this name, None when there is none."""
        found = (Project.read(entry) for entry in entries(self._transport, PATH, "projects", named(name)))
        return next((project for project in found if project.name == name), None)

    def get(self, project_id: str) -> Project:
        """One project. Raises NotFound."""
        return Project.read(self._transport.read(resource(PATH, project_id)))

    def create(self, request: CreateProjectRequest) -> Project:
        """Make a project, once even when the answer gets lost. It returns before cloning ends: see creation_status."""

        def send() -> Project:
            return Project.read(self._transport.write("POST", PATH, request.body(), timeout=CREATE_TIMEOUT))

        return create_once(send, lambda: self.find(request.name), self._transport.sleep)

    def delete(self, project_id: str) -> None:
        """Remove a project with all that is in it; one that is gone already is fine."""
        try:
            self._transport.write("DELETE", resource(PATH, project_id))
        except NotFound:
            return
