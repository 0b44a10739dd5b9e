"""Runtime images of a workspace."""

from __future__ import annotations

from cai_deploy.api.paging import list_all
from cai_deploy.api.schemas import Runtime
from cai_deploy.api.transport import Transport


class Runtimes:
    """The runtimes that the workspace offers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Runtime]:
        """All of them, on every page; also disabled ones."""
        return list_all(self._transport, "/api/v2/runtimes", "runtimes", Runtime)
