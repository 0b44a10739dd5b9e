"""The local workspace for the tests of other projects: a context manager, and a pytest fixture.

    from cai_deploy.testing import local_workspace

    with local_workspace() as ws:
        requests.get(f"{ws.host}/api/v2/projects", headers={"Authorization": f"Bearer {ws.api_key}"})

``workspace`` is the context manager, ``faults`` asks for misfortunes, ``plugin`` is what pytest loads in every run of
every project that has this package installed: so nothing here imports more than the standard library before it is
used. It may know ``local_workspace.process`` and HTTP, and nothing of the deployer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cai_deploy.testing.workspace import LocalWorkspace, local_workspace

__all__ = ["LocalWorkspace", "local_workspace"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cai_deploy.testing import workspace

        return getattr(workspace, name)
    raise AttributeError(name)
