"""The client: one transport, and the kinds of objects behind it."""

from __future__ import annotations

from cai_deploy.api.applications import Applications
from cai_deploy.api.files import Files
from cai_deploy.api.jobs import Jobs
from cai_deploy.api.projects import Projects
from cai_deploy.api.runtimes import Runtimes
from cai_deploy.api.transport import Transport, json_object


class Client:
    """A workspace's API v2. Safe to use from several threads, as the transport is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.projects = Projects(transport)
        self.files = Files(transport)
        self.jobs = Jobs(transport)
        self.applications = Applications(transport)
        self.runtimes = Runtimes(transport)

    def validate_key(self) -> bool:
        """Whether the key is good for the API; an answer that does not say so counts as no."""
        answer = self._transport.send("POST", "/api/v2/auth/validate_key", body={"audience": "API"})
        return json_object(answer).get("valid") is True
