"""The term of a worker that a person brought: it goes when it is told to leave, or when its head has ended.

No deployer looks after it, and it shares no files with its head. So what it is told comes through the GCS, where each
wish that a node drain is noted: for whoever drains such a worker, it is to leave. That wish may be the cluster's last,
so it is looked for before it takes effect. A head whose machine refuses has ended; one that is silent may be behind a
cable that is mended, and Ray waits for that itself.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from cai_deploy.node.draining import newest, was_drained
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.head_search import CONNECT_TIMEOUT
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node.term import Term
from cai_deploy.node.worker import Worker

JOINED = "joined"
"""The group of the nodes that people bring."""

POLL = 0.5

LONGEST_ABSENCE = 300.0
"""Seconds for which a head may be gone from a machine that is there: one that is replaced is back sooner."""


class Joined(Term):
    """The term of a joined worker: it sets ``over``, which ends the worker in good order.

    ``absence`` is for how many seconds the head may refuse; ``open_gcs`` gives the door to its GCS.
    """

    def __init__(
        self,
        pod: Pod,
        worker: Worker,
        orders: Orders,
        tell: Callable[[str], None],
        *,
        absence: float = LONGEST_ABSENCE,
        open_gcs: Callable[[str], Gcs] = Gcs,
    ) -> None:
        super().__init__()
        self._pod = pod
        self._worker = worker
        self._orders = orders
        self._tell = tell
        self._absence = absence
        self._open_gcs = open_gcs
        self._gcs: Gcs | None = None

    def _watch(self) -> None:
        leaves, refused_since = False, 0.0
        while not self._orders.stop.wait(POLL):
            if not self._worker.door:
                continue
            drained = self._asked_to_leave()
            if drained and not leaves:
                leaves = True
                self._tell("told to leave: this worker ends with the work that it has")
            if leaves and (drained is None or self._has_left()):
                return
            refused_since = (refused_since or time.monotonic()) if refuses(self._pod.head_address) else 0.0
            if refused_since and time.monotonic() - refused_since > self._absence:
                self._tell(f"the head has ended: its machine has refused for {self._absence:.0f} seconds")
                return

    def _asked_to_leave(self) -> bool | None:
        """Whether this start of ours was asked to drain; None while nobody can tell."""
        try:
            self._gcs = self._gcs or self._open_gcs(self._pod.head_address)
            return was_drained(self._gcs, self._pod.node, since=self._worker.began)
        except Exception:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            self._gcs = None
            return None

    def _has_left(self) -> bool:
        """Whether Ray has let go of this node."""
        try:
            node = newest(self._gcs.nodes(), self._pod.node) if self._gcs else None
        except Exception:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            return True
        return node is None or node.state != "ALIVE"


def refuses(address: str) -> bool:
    """Whether the machine of ``host:port`` says that nobody listens there; silence says nothing."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT):
            return False
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
