"""Which node a driver belongs to, where several of its cluster's share one machine: its own job's, and no other.

Ray looks for a raylet by the command lines of all processes that it can see, and takes the head's, or any. A driver
that is attached to another job's node dies with that job. Ray calls this hook in the driver before it looks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

HOOK = "RAY_RUNTIME_ENV_HOOK"
RAYLET = "CAI_DEPLOY_RAYLET"


def variables(raylet: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a driver is to inherit; none of them when somebody has such a hook already."""
    return {} if HOOK in inherited else {HOOK: f"{__name__}.attach", RAYLET: raylet}


def attach(runtime_env: Any) -> Any:
    """Called by ``ray.init`` with the runtime environment, which is left as it is."""
    raylet = os.environ.get(RAYLET)
    if raylet:
        import ray._private.services as services

        services.find_node_ids = lambda: {raylet}
    return runtime_env
