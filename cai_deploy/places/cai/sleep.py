"""A cluster that sleeps, as its project shows it, and what its head says of its work.

A record says since when it sleeps and why, and no node is left. It is looked for only where there may be one.
"""

from __future__ import annotations

import json
from datetime import datetime

from cai_deploy import layout
from cai_deploy.access import NoAnswer
from cai_deploy.api.schemas import Application
from cai_deploy.hibernation import Activity, Asleep
from cai_deploy.places.cai.moments import moment
from cai_deploy.places.cai.texts import Texts
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Ground, GroundState, Request, WantedGround

KIND = "sleep"
ACTIVITY_PATH = "/cai-deploy/activity"


def may(spec: ClusterSpec) -> bool:
    """Whether a cluster that was launched as ``spec`` is put to sleep with nobody watching."""
    return spec.watchdog is not None or spec.schedule.sleeps


def read(texts: Texts, project_id: str, cluster: str) -> Asleep | None:
    """The record of the sleep of ``cluster``; None when it is awake, or the record cannot be read."""
    path = layout.asleep_file(cluster)
    try:
        fields = json.loads(texts.read(project_id, [path])[path] or "{}")
        since = moment(str(fields["since"]))
        return Asleep(since, str(fields["why"])) if since else None
    except (ValueError, KeyError, TypeError):
        return None


def as_ground(cluster: str, asleep: Asleep) -> Ground:
    """The record as groundwork that is there."""
    return Ground(KIND, layout.asleep_file(cluster), GroundState.READY, reason=str(asleep))


def begins(cluster: str, project_id: str, asleep: Asleep) -> WantedGround:
    """The record as groundwork: once it stands, whoever comes later goes on putting the cluster to sleep."""
    path, text = layout.asleep_file(cluster), asleep.to_json()
    body = {"path": path, "content": text}
    request: Request = {"method": "POST", "path": f"/api/v2/projects/{project_id}/files", "body": body}
    return WantedGround(KIND, path, fingerprint(text), request)


def over(cluster: str, project_id: str) -> WantedGround:
    """No record: the cluster is awake."""
    path = layout.asleep_file(cluster)
    request: Request = {
        "method": "DELETE",
        "path": f"/api/v2/projects/{project_id}/files/{path}",
        "body": {"path": path},
    }
    return WantedGround(KIND, path, "", request, gone=True)


def activity(door: TokenDoor, subdomain: str) -> Activity | None:
    """What the head at ``subdomain`` says of its work; None when it says nothing that can be understood."""
    try:
        told = door.get_json(subdomain, ACTIVITY_PATH)
        now, busy, since = told["now"], told["busy"], told["idle_since"]
        return Activity(
            datetime.fromisoformat(now),
            tuple(str(each) for each in busy),
            datetime.fromisoformat(since) if since else None,
        )
    except (NoAnswer, KeyError, TypeError, ValueError):
        return None


def created(application: Application) -> datetime | None:
    """When an application was created; None when the platform does not say."""
    return moment(application.created_at)
