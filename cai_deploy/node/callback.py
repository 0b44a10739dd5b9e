"""Asking the head's agent to call this node back on its ports. It does not judge what comes of it."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.asking import CANNOT_ASK, post
from cai_deploy.node.echo import NONCE_LENGTH, PATH, EchoPorts
from cai_deploy.node.exchange import Verdict
from cai_deploy.node.pod import Pod

GATEWAY_PATIENCE = 5.0
"""Seconds: the head's agent opens its port a moment after the GCS, and may have others to call back."""

POLL = 0.1
BUSY = http.client.TOO_MANY_REQUESTS


class NoCallBack(Exception):
    """The head's agent cannot be asked, or does not know how to call back."""


def ask(info: ConnectionInfo, pod: Pod, ports: Sequence[int]) -> dict[int, Verdict]:
    """The ports, of these or the one that was taken as there are none, to which the head did not get through.

    Each with the head's verdict. Raises NoCallBack.
    """
    nonce = secrets.token_hex(NONCE_LENGTH // 2)
    try:
        with EchoPorts(pod.address, ports, nonce) as echo:
            body = {"address": pod.address, "ports": echo.ports, "nonce": nonce}
            answer = _patiently(info, pod, body)
            return _failed(answer, echo.ports)
    except CANNOT_ASK as error:
        raise NoCallBack(f"{type(error).__name__}: {error}") from error


def _patiently(info: ConnectionInfo, pod: Pod, body: Any) -> Any:
    end = time.monotonic() + GATEWAY_PATIENCE
    while True:
        try:
            status, content = post(info, pod.project, PATH, body)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
        else:
            if status == http.client.OK:
                return json.loads(content)
            if status != BUSY or time.monotonic() > end:
                raise NoCallBack(f"the agent at {info.dashboard_address} answers with status {status}")
        time.sleep(POLL)


def _failed(answer: Any, ports: Sequence[int]) -> dict[int, Verdict]:
    told = answer.get("ports") if isinstance(answer, dict) else None
    known = {verdict.value for verdict in Verdict}
    if not isinstance(told, dict) or any(told.get(str(port)) not in known for port in ports):
        raise NoCallBack("its answer is none")
    verdicts = {port: Verdict(told[str(port)]) for port in ports}
    return {port: verdict for port, verdict in verdicts.items() if verdict is not Verdict.OK}
