"""Ray clusters in Cloudera AI workspaces: planned, applied, and kept healthy.

    from cai_deploy import Cluster, ClusterSpec, Workspace

Nothing is imported before it is asked for: node agents and CML jobs import parts of the package with a bare Python that
has none of the deployer's dependencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cai_deploy.cluster import Cluster
    from cai_deploy.spec import ClusterSpec
    from cai_deploy.workspace import Workspace

    __version__: str

UNRELEASED = "0.1.0.dev0"
"""The version of a copy that was never installed and cannot ask git: that of pyproject.toml's fallback."""

RAY_VERSION = "2.60.0"
"""The Ray that runs where a specification names no other."""

__all__ = ["Cluster", "ClusterSpec", "Workspace", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Cluster":
        from cai_deploy.cluster import Cluster

        return Cluster
    if name == "ClusterSpec":
        from cai_deploy.spec import ClusterSpec

        return ClusterSpec
    if name == "Workspace":
        from cai_deploy.workspace import Workspace

        return Workspace
    if name == "__version__":
        return _installed_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _installed_version() -> str:
    """What was installed knows its version from git's tags; a project's clone that nobody installed does not."""
    from importlib import metadata

    try:
        return metadata.version("cai-deploy")
    except metadata.PackageNotFoundError:
        return UNRELEASED
