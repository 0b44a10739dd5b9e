"""The lock file of the nodes' environment: it must be there and pin the Ray that is asked for. Pure."""

from __future__ import annotations

import re

from cai_deploy.errors import ConfigError
from cai_deploy.spec import ClusterSpec


def require_lock(spec: ClusterSpec, requirements: str | None, *, looked: bool, where: str) -> None:
    """Raises ConfigError for ``requirements`` with which the nodes would run another Ray.

    None means that there is no such file ``where`` it was ``looked`` for.
    """
    if spec.environment.pinned:
        return  # built already, whatever the lock file says now
    if requirements is None:
        if looked:
            raise ConfigError(
                f"environment.requirements: {spec.environment.requirements} is not in {where}",
                next_step="commit a locked requirements file there, or name the one it has",
            )
        return
    if not re.search(rf"^ray(\[[^\]]*\])?=={re.escape(spec.ray_version)}(?![\w.])", requirements, re.MULTILINE):
        raise ConfigError(
            f"ray_version: {spec.environment.requirements} does not pin ray=={spec.ray_version}",
            next_step="lock the requirements again, or set ray_version to the locked version",
        )
