"""Asking the head's agent for something, as one of its nodes: with the cluster's token, where it has one.

No proxy is used, whatever the environment says: the head is a neighbour.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from cai_deploy.access import RAY_AUTHORIZATION
from cai_deploy.connection import ConnectionInfo

TIMEOUT = 6.0

CANNOT_ASK = (OSError, ValueError, http.client.HTTPException)
"""What comes of asking nobody, or somebody who does not answer as the head's agent does."""


def post(info: ConnectionInfo, project: Path, path: str, data: Any) -> tuple[int, bytes]:
    """The status and the answer to ``data``, sent to ``path`` of the agent of the head. Raises one of CANNOT_ASK."""
    headers = {"Content-Type": "application/json", **_headers(info, project)}
    connection = http.client.HTTPConnection(info.dashboard_address, timeout=TIMEOUT)
    try:
        connection.request("POST", path, json.dumps(data).encode(), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _headers(info: ConnectionInfo, project: Path) -> dict[str, str]:
    if not info.token_path:
        return {}
    token = (project / info.token_path).read_text(encoding="ascii").strip()
    return {RAY_AUTHORIZATION: f"Bearer {token}"}
