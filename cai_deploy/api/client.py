"""The client as a whole: one attribute for each kind of object. It must not hold anything but the transport."""

from __future__ import annotations

from cai_deploy.api.applications import Applications
from cai_deploy.api.capacity import Capacity
from cai_deploy.api.errors import AccessRefused
from cai_deploy.api.files import Files
from cai_deploy.api.jobs import Jobs
from cai_deploy.api.projects import Projects
from cai_deploy.api.runtimes import Runtimes
from cai_deploy.api.transport import Transport

VALIDATE_KEY = "auth/validate_key"


class Client:
    """A workspace, seen with one key. Several threads may use it at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.projects = Projects(transport)
        self.files = Files(transport)
        self.jobs = Jobs(transport)
        self.applications = Applications(transport)
        self.runtimes = Runtimes(transport)
        self.capacity = Capacity(transport)

    def server_time(self) -> float:
        """Seconds since 1970 by the workspace's clock, on which several machines agree."""
        return self._transport.server_time()

    def validate_key(self) -> str:
        """The name of the key's owner. Raises AccessRefused when the key is not for the API, or PlaceUnreachable."""
        answer = self._transport.read(VALIDATE_KEY, method="POST", body={"audience": "API"})
        if answer.get("valid") is not True:
            message = str(answer.get("message") or "the workspace does not call the key valid")
            raise AccessRefused(200, message, method="POST", path=f"/api/v2/{VALIDATE_KEY}")
        return str(answer.get("username") or "")
