"""What a head tells the others of itself: the contents of the connection file. It does not decide when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError
from cai_deploy.node.pod import Pod
from cai_deploy.node_settings import NodeSettings


def announcement(
    settings: NodeSettings, pod: Pod, ports: Mapping[str, int], tell: Callable[[str], None]
) -> ConnectionInfo:
    """The connection info of a head that starts now, one epoch after the one before it."""
    return ConnectionInfo(
        cluster=settings.cluster,
        epoch=last_epoch(pod.connection_file(settings.cluster), tell) + 1,
        node_address=pod.address,
        gcs_address=f"{pod.address}:{ports['gcs']}",
        client_address=f"{pod.address}:{ports['client']}",
        dashboard_address=f"{pod.address}:{pod.app_port}",
        dashboard_url=pod.url,
        ray_version=settings.ray_version,
        python_version=".".join(str(part) for part in sys.version_info[:3]),
        started_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def last_epoch(file: Path, tell: Callable[[str], None]) -> int:
    """The epoch of the head before; 0 when there was none, or when its file is of no use."""
    try:
        info = connection.load(file)
    except ConnectionFileError as error:
        tell(f"the last connection file is of no use: {error}")
        return 0
    return info.epoch if info else 0
