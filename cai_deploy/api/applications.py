"""Applications of a project. It must not know that they are nodes."""

from __future__ import annotations

import builtins
from typing import Any

from cai_deploy.api.creation import create_once
from cai_deploy.api.errors import NotFound
from cai_deploy.api.paging import entries, named
from cai_deploy.api.paths import resource
from cai_deploy.api.schema_base import patch_body
from cai_deploy.api.schemas import Application, CreateApplicationRequest
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport


class Applications:
    """The applications of any project. Every method raises ApiError, PlaceUnreachable or UnreadableAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str) -> builtins.list[Application]:
        """All applications of a project."""
        found = entries(self._transport, _applications(project_id), "applications")
        return [Application.read(entry) for entry in found]

    def find(self, project_id: str, name: str) -> Application | None:
        """The application with exactly this name, None when there is none."""
        return next((app for app in self._named(project_id, name) if app.name == name), None)

    def get(self, project_id: str, application_id: str) -> Application:
        """One application. Raises NotFound."""
        return Application.read(self._transport.read(_application(project_id, application_id)))

    def create(self, request: CreateApplicationRequest) -> Application:
        """Make an application, once even when the answer gets lost; it starts by itself."""
        path = _applications(request.project_id)

        def send() -> Application:
            return Application.read(self._transport.write("POST", path, request.body(), timeout=CREATE_TIMEOUT))

        def look() -> Application | None:
            # Names may repeat, subdomains may not.
            wanted = (request.name, request.subdomain)
            there = self._named(request.project_id, request.name)
            return next((app for app in there if (app.name, app.subdomain) == wanted), None)

        return create_once(send, look, self._transport.sleep)

    def update(self, project_id: str, application_id: str, **fields: Any) -> Application:
        """Change the given fields, which a running application sees after a restart. ``environment`` replaces all."""
        path = _application(project_id, application_id)
        return Application.read(self._transport.write("PATCH", path, patch_body(fields)))

    def stop(self, project_id: str, application_id: str) -> Application:
        """Stop it without deleting it; it is stopping when this returns."""
        return self._act(project_id, application_id, "stop")

    def restart(self, project_id: str, application_id: str) -> Application:
        """Start it, or start it anew when it runs; it is starting when this returns."""
        return self._act(project_id, application_id, "restart")

    def delete(self, project_id: str, application_id: str) -> None:
        """Remove it, running or not; one that is gone already is fine."""
        try:
            self._transport.write("DELETE", _application(project_id, application_id))
        except NotFound:
            return

    def _act(self, project_id: str, application_id: str, action: str) -> Application:
        # Done twice, it comes to the same: stopped is stopped, and a second restart ends in one application that runs
        # on its newest settings, though its pod was made anew twice.
        path = _application(project_id, application_id, action)
        return Application.read(self._transport.write("POST", path, repeatable=True))

    def _named(self, project_id: str, name: str) -> builtins.list[Application]:
        found = entries(self._transport, _applications(project_id), "applications", named(name))
        return [Application.read(entry) for entry in found]


def _applications(project_id: str) -> str:
    return resource("projects", project_id, "applications")


def _application(project_id: str, application_id: str, action: str = "") -> str:
    return resource("projects", project_id, "applications", application_id, action=action)
