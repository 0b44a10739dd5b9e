"""What a worker makes sure of before it starts Ray: that it may join, and that its ports and the head's carry bytes.

Ray would find all of this out too, after minutes, and say it in words that name no cause. Only what is certain ends the
node. What may have many causes (no answer from the head's agent, a port that is slow) is told, and Ray may try.

A head that was named by hand has left no file that says anything of it, so nothing of it is checked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError, DeployError
from cai_deploy.node import callback, exchange, ports
from cai_deploy.node.callback import NoCallBack
from cai_deploy.node.exchange import Verdict
from cai_deploy.node.head_search import listens
from cai_deploy.node.pod import Pod
from cai_deploy.node.tls import Certificate
from cai_deploy.node.versions import Versions, versions_here
from cai_deploy.node_settings import NodeSettings

PATIENCE = 5.0
ATTEMPTS = 3
"""For bytes that do not come: a head on a busy machine may be slow to answer, but not for 15 seconds."""

POLL = 0.5
LEAVING = 5.0
"""Seconds beyond a node's own stop time-out after which a head that is being replaced is gone."""

MESH_STEP = (
    "have the mesh let Ray's ports through: pin them under `ports`, and apply what"
    " `python -m cai_deploy doctor --mesh-manifest` prints"
)


class VersionMismatch(DeployError):
    """This node runs another Ray or Python than the head, or one of the two alone speaks TLS."""


class BytesDropped(DeployError):
    """Connections are accepted, and what is sent over them does not come through."""


class PortUnreachable(DeployError):
    """The head does not get through to a port that was chosen for this node."""


class Preflight:
    """The checks of one worker, before each start of its Ray."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        tell: Callable[[str], None],
        certificate: Certificate | None = None,
    ) -> None:
        self._settings = settings
        self._certificate = certificate
        self._pod = pod
        self._tell = tell
        self._file = pod.connection_file(settings.cluster)

    def passed(self, address: str, stop: threading.Event) -> bool:
        """Whether Ray may start and join the head's GCS at ``address``; False to look for the head again.

        Raises DeployError for what is certain to keep this node out of the cluster, or the cluster out of this node.
        """
        ports.check(self._settings.ports, self._settings.pinned_ports, max(int(self._settings.cpu), 1))
        info = self._head_at(address)
        if info is None:
            return bool(self._pod.head_address)
        return self._fits(info, stop) and self._hears(info, stop) and self._is_heard(info)

    def _head_at(self, address: str) -> ConnectionInfo | None:
        """What the head says of itself; None when nobody does, or another head does by now."""
        if self._pod.head_address:
            return None
        try:
            info = connection.load(self._file)
        except (ConnectionFileError, OSError, ValueError):  # ValueError: bytes that are no text
            return None
        return info if info and info.gcs_address == address else None

    def _fits(self, info: ConnectionInfo, stop: threading.Event) -> bool:
        """Whether we match. A head that is about to be replaced by one that matches is waited out."""
        mismatch = self._mismatch(info)
        if not mismatch:
            return True
        self._tell(mismatch)
        end = time.monotonic() + self._settings.stop_timeout + LEAVING
        while self._head_at(info.gcs_address) == info and listens(info.gcs_address):
            if time.monotonic() > end:
                raise VersionMismatch(
                    mismatch,
                    why=f"the head at {info.node_address} has told so in {self._file.name}, and stays",
                    next_step="give all groups the same runtime and environment: `launch` says what differs",
                )
            if stop.wait(POLL):
                break
        return False

    def _mismatch(self, info: ConnectionInfo) -> str:
        """What keeps this node and the head from being one cluster, "" for nothing."""
        ours, theirs = versions_here(self._settings.ray_version), Versions(info.ray_version, info.python_version)
        if not ours.may_join(theirs, os.environ):
            return f"the head runs {theirs}, this node {ours}: they cannot be one cluster"
        if bool(info.authority_path) != (self._certificate is not None):
            speaks, not_so = ("this node", "the head") if self._certificate else ("the head", "this node")
            return f"{speaks} speaks TLS, {not_so} does not: they cannot be one cluster"
        return ""

    def _hears(self, info: ConnectionInfo, stop: threading.Event) -> bool:
        """Whether the head's GCS answers to bytes."""
        tls = self._certificate.for_calls() if self._certificate else None
        verdict = Verdict.OK
        for _ in range(ATTEMPTS):
            verdict = exchange.speaks_http2(info.gcs_address, PATIENCE, tls)
            if verdict is Verdict.OK:
                return True
            self._tell(f"the head's GCS at {info.gcs_address}: {verdict.value}")
            # The file may have been stale, and its address somebody else's: a head that is back has written it anew.
            if stop.wait(POLL) or self._head_at(info.gcs_address) != info or not listens(info.gcs_address):
                return False
        if verdict is Verdict.SILENT:
            raise self._dropped(f"the head's GCS at {info.gcs_address} accepts connections, but no bytes come through")
        return True

    def _is_heard(self, info: ConnectionInfo) -> bool:
        """Always, unless it raises: the head has called back on the ports that Ray will use."""
        wanted = self._called_ports()
        failed: Mapping[int, Verdict] = {}
        for _ in range(ATTEMPTS):
            try:
                failed = callback.ask(info, self._pod, list(wanted))
            except NoCallBack as error:
                self._tell(f"not checked: whether the head gets through to this node ({error})")
                return True
            if not failed:
                break
        for port, verdict in failed.items():
            self._judge(port, wanted.get(port, ""), verdict)
        return True

    def _judge(self, port: int, name: str, verdict: Verdict) -> None:
        shown = f"port {port} ({name or 'any free one'}) of this node at {self._pod.address}"
        if verdict is Verdict.SILENT:
            raise self._dropped(f"the head is accepted at {shown}, but no bytes come through")
        if not name:
            self._tell(f"the head does not get through to {shown}: {verdict.value}")
            return
        raise PortUnreachable(
            f"the head does not get through to {shown}: {verdict.value}",
            why="something answered there in this node's place, or a network policy or firewall stands between",
            next_step=f"let pods of the cluster reach each other at {port}, or choose another ports.{name}",
        )

    def _called_ports(self) -> Mapping[int, str]:
        settings = self._settings
        names = [name for name in ports.CALLED_FROM_OUTSIDE if name in settings.ports and name in settings.pinned_ports]
        return {settings.ports[name]: name for name in names}

    def _dropped(self, what: str) -> BytesDropped:
        return BytesDropped(
            what,
            why="a service mesh with strict mutual TLS (Istio STRICT) does this to Ray, which is no part of it; "
            "so does a path that drops large packets",
            next_step=MESH_STEP,
        )
