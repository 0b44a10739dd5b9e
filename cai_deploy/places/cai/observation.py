"""What a workspace shows of one cluster: the common Observation, and the raw facts that ``build.py`` needs besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cai_deploy.api.schemas import Application, Project, Runtime
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import GroundState, Observation


@dataclass(frozen=True)
class CaiObservation(Observation):
    """``applications`` are ours, by node name; ``requirements`` is the text of the lock file in the project.

    ``commit`` is what the project's clone is at, "" when nobody asked; ``missing_scripts`` are the scripts that the
    specification names and the project does not hold.
    """

    project: Project | None = None
    applications: Mapping[str, Application] = field(default_factory=dict)
    runtimes: tuple[Runtime, ...] = ()
    requirements: str | None = None
    applied_spec: ClusterSpec | None = None
    commit: str = ""
    missing_scripts: frozenset[str] = frozenset()

    @property
    def code_there(self) -> bool:
        """Whether the project's clone has come to its end."""
        return any(ground.kind == "project" and ground.state is GroundState.READY for ground in self.ground)

    @property
    def runtimes_in_use(self) -> dict[str, str]:
        """The image that each node runs on."""
        return {node: app.runtime_identifier for node, app in self.applications.items() if app.runtime_identifier}
