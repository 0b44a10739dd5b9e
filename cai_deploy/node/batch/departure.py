"""A node that goes of its own accord: the head drains it, and it waits until its Ray is gone, or its time is over."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from cai_deploy.node.asking import CANNOT_ASK, post
from cai_deploy.node.draining import newest
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.head_search import LastWord
from cai_deploy.node.pod import Pod

PATH = "/cai-deploy/drain"
POLL = 0.2
GRACE = 3.0
"""Seconds beyond the deadline, at which the head ends what is left."""


def leave(
    pod: Pod, word: LastWord, seconds: float, reason: str, tell: Callable[[str], None], stop: threading.Event
) -> None:
    """Have this node drained within ``seconds``. A head that does not do it is told of, and no reason to stay."""
    info = word()
    if info is None or info.ended_at:
        return
    try:
        asked = {"node": pod.node, "deadline_seconds": max(seconds, 0.0), "reason": reason}
        status, content = post(info, pod.project, PATH, asked)
        answer = json.loads(content) if status == HTTPStatus.OK else {"why": f"status {status}"}
    except CANNOT_ASK as error:
        tell(f"leaving without the head, which cannot be asked: {type(error).__name__}: {error}")
        return
    if not answer.get("accepted"):
        tell(f"leaving without a drain, as the head refuses it: {answer.get('why', 'it does not say why')}")
        return
    tell(f"this node drains, within {seconds:.0f} s: {reason}")
    gcs = Gcs(info.gcs_address)
    end = time.monotonic() + seconds + GRACE
    while time.monotonic() < end and not _gone(gcs, pod.node):
        if stop.wait(POLL):
            return


def _gone(gcs: Gcs, name: str) -> bool:
    try:
        node = newest(gcs.nodes(), name)
    except Exception:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away; the deadline comes all the same)
        return False
    return node is not None and node.state == "DEAD"
