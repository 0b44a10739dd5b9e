"""What a head tells the others of itself: the contents of the connection file. It does not decide when."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from cai_deploy import connection, layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.pod import Pod
from cai_deploy.node.versions import installed_ray
from cai_deploy.node_settings import NodeSettings


def announcement(
    settings: NodeSettings,
    pod: Pod,
    ports: Mapping[str, int],
    tell: Callable[[str], None],
    job: BatchJob | None = None,
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
        ray_version=installed_ray() or settings.ray_version,
        python_version=".".join(str(part) for part in sys.version_info[:3]),
        token_path=layout.token_file(settings.cluster) if settings.authentication == "token" else "",
        authority_path=layout.authority_file(settings.cluster) if settings.tls else "",
        started_at=moment(datetime.now(timezone.utc)),
        hands_over=bool(job and job.hands_over),
    )


def moment(time: datetime) -> str:
    """``time`` as the file tells it."""
    return time.astimezone(timezone.utc).isoformat(timespec="seconds")


def last_epoch(file: Path, tell: Callable[[str], None]) -> int:
    """The epoch of the head before; 0 when there was none.

    When its file is of no use: the seconds of the clock, above which no head can be that counted its starts.
    """
    try:
        info = connection.load(file)
    except (ConnectionFileError, ValueError) as error:  # ValueError: bytes that are no text
        tell(f"the last connection file is of no use: {error}")
        return int(time.time())
    return info.epoch if info else 0
