"""Runtime images of the workspace. It must not know which one fits: versions differ, and whoever asks chooses."""

from __future__ import annotations

import builtins

from cai_deploy.api.paging import entries
from cai_deploy.api.schemas import Runtime, RuntimeAddon
from cai_deploy.api.transport import Transport


class Runtimes:
    """What code can run on here. Every method raises ApiError, PlaceUnreachable or UnreadableAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Runtime]:
        """All images, disabled and deprecated ones included."""
        return [Runtime.read(entry) for entry in entries(self._transport, "runtimes", "runtimes")]

    def list_addons(self) -> builtins.list[RuntimeAddon]:
        """All addons, unavailable ones included."""
        return [RuntimeAddon.read(entry) for entry in entries(self._transport, "runtimeaddons", "runtime_addons")]
