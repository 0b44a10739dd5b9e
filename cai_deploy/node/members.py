"""The cluster's nodes as the GCS knows them, which is fresher than anything the dashboard says.

Measured on Ray 2.60: a call takes 0.2 ms, while the dashboard's summary lags by seconds. ``GcsClient`` is not public
API; the environment pins Ray, and this is the one place that uses it.
"""

from __future__ import annotations

from typing import Any

from cai_deploy.node.head_search import listens

STATES = {0: "ALIVE", 1: "DEAD"}
TIMEOUT = 2.0


class MemberList:
    """The nodes of the GCS at ``gcs_address``, which need not be there yet."""

    def __init__(self, gcs_address: str, epoch: int) -> None:
        self._gcs_address = gcs_address
        self._epoch = epoch
        self._client: Any = None

    def describe(self) -> dict[str, Any]:
        """What ``/cai-deploy/nodes`` answers; no nodes while there is no GCS to ask."""
        if self._client is None:
            if not listens(self._gcs_address):
                return {"epoch": self._epoch, "nodes": []}
            # Imported at the first question, as Ray itself is busy starting before; raises what Ray raises.
            from ray._raylet import GcsClient

            self._client = GcsClient(address=self._gcs_address)
        return {"epoch": self._epoch, "nodes": self._nodes()}

    def _nodes(self) -> list[dict[str, Any]]:
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
