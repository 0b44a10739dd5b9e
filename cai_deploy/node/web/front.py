"""What answers on the head's HTTP port, put together: what is told of the cluster, what is done in it, what is behind.

It decides nothing: each answer has a module of its own, and who may ask is the gateway's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node import echo
from cai_deploy.node.draining import Drains
from cai_deploy.node.echo import CallBacks
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.pod import Pod
from cai_deploy.node.project_files import read_many
from cai_deploy.node.view.activity import Activity
from cai_deploy.node.view.members import MemberList
from cai_deploy.node.view.overview import Overview, serve_routes
from cai_deploy.node.web import tunnel
from cai_deploy.node.web.gateway import Gateway, OwnAnswers
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.ways import Ways


def front(
    pod: Pod, info: ConnectionInfo, ports: Mapping[str, int], drains: Drains, activity: Activity, token: str
) -> Gateway:
    """The gateway of the head that ``info`` announces, whose Ray has these ``ports``; "" is no token.

    From now on the head looks whether its cluster has work.
    """
    gcs, guard = Gcs(info.gcs_address), Guard(token)
    overview = Overview(gcs, info, partial(serve_routes, ports["serve"]))
    activity.begin()
    own = OwnAnswers(
        told={
            "/cai-deploy/nodes": MemberList(gcs, info).describe,
            "/cai-deploy/activity": activity.describe,
            "/cai-deploy/overview": overview.describe,
        },
        done={
            "/cai-deploy/drain": drains.ask,
            "/cai-deploy/files": partial(read_many, pod.project),
            echo.PATH: CallBacks(pod.address).ask,
        },
        handled={tunnel.PATH: tunnel.Tunnel({"client": info.client_address}).join},
        overview=overview.describe,
        gcs=gcs,
    )
    dashboard, serve = (f"http://127.0.0.1:{ports[name]}" for name in ("dashboard", "serve"))
    return Gateway(info.cluster, Ways(dashboard, serve, guard), own, guard)
