"""A workspace for one test: its own directory, port, key and pods, and nothing of it left afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cai_deploy.local_workspace import keeper, process
from cai_deploy.local_workspace.process import Endpoint
from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults

STOP_GRACE = 1.0


class LocalWorkspace:
    """A workspace that runs: where it is, how to spoil it, what it says."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.host = endpoint.host
        self.api_key = endpoint.api_key
        self.home = endpoint.home
        self.pod_mode = endpoint.pod_mode
        self._admin = Admin(endpoint.host, endpoint.api_key)
        self.faults = Faults(self._admin)

    def __repr__(self) -> str:  # a key must not end up in a test report
        return f"LocalWorkspace({self.host}, pods: {self.pod_mode})"

    def env(self) -> dict[str, str]:
        """The variables by which a client finds this workspace."""
        return {"CML_HOST": self.host, "CML_API_KEY": self.api_key}

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (``stop_grace=0.2``) for what begins from now on; the settings in force come back."""
        return self._admin.ask("PATCH", "settings", changes)

    def status(self) -> dict[str, Any]:
        """What exists and what runs, in numbers."""
        return self._admin.ask("GET", "status")

    def logs(self, identifier: str = "") -> str:
        """What the application or job run of this id has written so far; without an id, the workspace itself."""
        name = f"logs/{Path(identifier).name}.log" if identifier else "server.log"
        with contextlib.suppress(FileNotFoundError):
            return (self.home / name).read_text(encoding="utf-8", errors="replace")
        return ""


@contextlib.contextmanager
def local_workspace(*, pods: str = "loopback", home: Path | None = None, **settings: Any) -> Iterator[LocalWorkspace]:
    """A workspace that runs within a ``with`` block.

    ``pods`` is how applications are walled in: ``loopback`` (plain processes, starts fastest), ``userns``, ``root``,
    or ``auto`` for the best that this machine allows. ``home`` is a directory to keep; without it there is a temporary
    one. Further arguments are settings of the workspace.
    """
    temporary = None if home else tempfile.mkdtemp(prefix="cai-ws-")
    place = home or Path(str(temporary))
    variables = {  # an empty value counts as unset: those of the caller must not decide
        "CAI_DEPLOY_POD_MODE": "" if pods == "auto" else pods,
        "CAI_DEPLOY_STOP_GRACE": str(STOP_GRACE),
        "CAI_DEPLOY_WORKSPACE_SETTINGS": "",
        keeper.VARIABLE: str(os.getpid()),  # a test run that is killed takes its workspaces along
    }
    try:
        workspace = LocalWorkspace(process.start(at=place, variables=variables))
        if settings:
            workspace.settings(**settings)
        yield workspace
    finally:
        process.stop(at=place)
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
