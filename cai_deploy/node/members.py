"""The cluster's nodes as the GCS knows them, which is fresher than anything the dashboard says.

Measured on Ray 2.60: a call takes 0.2 ms, while the dashboard's summary lags by seconds. ``GcsClient`` is not public
API; the environment pins Ray, and this is the one place that uses it.
"""

from __future__ import annotations

from typing import Any

STATES = {0: "ALIVE", 1: "DEAD"}
TIMEOUT = 2.0


class Members:
    """Asks one GCS. Needs Ray, so it is made inside the cluster's environment only."""

    def __init__(self, gcs_address: str) -> None:
        from ray._raylet import GcsClient

        self._client: Any = GcsClient(address=gcs_address)

    def list(self) -> list[dict[str, Any]]:
        """Every node that the cluster has or had, with Ray's own word for its state."""
        return [
            {
                "name": info.node_name,
                "address": info.node_manager_address,
                "state": STATES.get(info.state, "UNKNOWN"),
                "is_head": info.is_head_node,
                "labels": dict(info.labels),
                "resources": dict(info.resources_total),
            }
            for info in self._client.get_all_node_info(timeout=TIMEOUT).values()
        ]
