"""Projects."""

from __future__ import annotations

from cai_deploy.api.creation import create_once
from cai_deploy.api.paging import list_all, search_filter
from cai_deploy.api.schemas import CreateProjectRequest, Project
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport, json_object

PATH = "/api/v2/projects"


class Projects:
    """The projects that the key's user can see."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Project]:
        """All of them."""
        return list_all(self._transport, PATH, "projects", Project)

    def find(self, name: str) -> Project | None:
        """The project of exactly this name."""
        found = list_all(self._transport, PATH, "projects", Project, search_filter(name=name))
        return next((project for project in found if project.name == name), None)

    def get(self, project_id: str) -> Project:
        """One project. Raises NotFound."""
        return Project.model_validate(self._transport.read_json(f"{PATH}/{project_id}"))

    def create(self, request: CreateProjectRequest) -> Project:
        """Make a project once; returns before its clone has ended."""
        return create_once(lambda: self._send(request), lambda: self.find(request.name))

    def delete(self, project_id: str) -> None:
        """Remove a project and all that is in it."""
        self._transport.send("DELETE", f"{PATH}/{project_id}")

    def _send(self, request: CreateProjectRequest) -> Project:
        answer = self._transport.send("POST", PATH, body=request.body(), timeout=CREATE_TIMEOUT)
        return Project.model_validate(json_object(answer))
