"""Applications: long-running scripts with an address of their own. There are no application logs in API v2."""

from __future__ import annotations

from typing import Any

from cai_deploy.api.creation import create_once
from cai_deploy.api.errors import NotFound
from cai_deploy.api.jobs import as_patch
from cai_deploy.api.paging import list_all, search_filter
from cai_deploy.api.schemas import Application, CreateApplicationRequest
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport, json_object


class Applications:
    """The applications of projects."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str) -> list[Application]:
        """Every application of a project."""
        return list_all(self._transport, _path(project_id), "applications", Application)

    def find(self, project_id: str, name: str) -> Application | None:
        """The application of exactly this name."""
        found = list_all(self._transport, _path(project_id), "applications", Application, search_filter(name=name))
        return next((application for application in found if application.name == name), None)

    def get(self, project_id: str, application_id: str) -> Application:
        """One application. Raises NotFound."""
        return Application.model_validate(self._transport.read_json(f"{_path(project_id)}/{application_id}"))

    def create(self, request: CreateApplicationRequest) -> Application:
        """Make an application once; it starts at once. Raises Conflict when its subdomain is taken."""
        path = _path(request.project_id)

        def send() -> Application:
            answer = self._transport.send("POST", path, body=request.body(), timeout=CREATE_TIMEOUT)
            return Application.model_validate(json_object(answer))

        return create_once(send, lambda: self.find(request.project_id, request.name))

    def update(self, project_id: str, application_id: str, **fields: Any) -> Application:
        """Change fields; what runs keeps running as it was until a restart."""
        path = f"{_path(project_id)}/{application_id}"
        return Application.model_validate(json_object(self._transport.send("PATCH", path, body=as_patch(fields))))

    def restart(self, project_id: str, application_id: str) -> None:
        """Start a stopped or failed application, or start a running one anew."""
        self._transport.send("POST", f"{_path(project_id)}/{application_id}:restart")

    def stop(self, project_id: str, application_id: str) -> None:
        """Stop an application and keep it."""
        self._transport.send("POST", f"{_path(project_id)}/{application_id}:stop")

    def delete(self, project_id: str, application_id: str) -> None:
        """Remove an application, running or not; one that is not there is fine."""
        try:
            self._transport.send("DELETE", f"{_path(project_id)}/{application_id}")
        except NotFound:
            return


def _path(project_id: str) -> str:
    return f"/api/v2/projects/{project_id}/applications"
