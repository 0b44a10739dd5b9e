"""Groups -> the text of ``compose.yaml``, for Compose and for people. Pure.

What all nodes have stands once, as anchors that every service takes up. No variable is asked for that has no default,
so that Compose has nothing to warn of, and a dollar of a person's is no variable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from cai_deploy import layout
from cai_deploy.places.compose import marks
from cai_deploy.places.compose.image import PYTHON
from cai_deploy.places.compose.plans import GroupPlan, Where
from cai_deploy.spec import HEAD, ClusterSpec

APP_PORT = 8100
"""Where a node's agent answers, inside of its container."""

REMOTE = "remote-worker"
REMOTE_PORTS = {"object_manager": 8076, "node_manager": 8077, "worker_min": 11000, "worker_max": 11020}
"""Of a worker on a host's own network, where a firewall has to know them; what a specification says counts for more."""

PLACE = "compose"
GRACE = 10
"""Seconds beyond those that a node takes to stop by itself."""

MB = 1024**2
SHARED_MEMORY = 1.2
"""Of the object store's size: Ray wants a little more than the store itself."""

TITLE = """\
# The Ray cluster {cluster} on Docker Compose. Written by cai_deploy, and anew when the specification changes.
#   docker compose --file {file} ps
#   docker compose --file {file} logs --follow head
#   docker compose --file {file} up --detach --no-recreate --scale {group}=3
"""


def render(spec: ClusterSpec, plans: Sequence[GroupPlan], remote: GroupPlan | None, where: Where) -> str:
    """The whole file. ``remote`` is the worker that joins from another host, None where there is no group of workers.

    Every service is called as its group is.
    """
    first = plans[0]
    group = next((plan.name for plan in plans if plan.name != HEAD), "worker")
    file = f"{where.directory}/{layout.compose_file(spec.name)}"
    parts = [
        TITLE.format(cluster=spec.name, file=file, group=group),
        _block({"name": where.project(spec.name)}),
        "# What every node has.\n" + _anchored("node", _common(spec, first.image, where)),
        "# What every node is told.\n" + _anchored("environment", _told(first, where)),
        "# By this, what is ours is known.\n" + _anchored("labels", _labels(spec, where)),
        "services:\n" + "\n".join(_services(spec, plans, remote)),
    ]
    return "\n".join(parts)


def _services(spec: ClusterSpec, plans: Iterable[GroupPlan], remote: GroupPlan | None) -> Iterator[str]:
    for plan in plans:
        if plan.name == HEAD:
            where = {"CAI_DEPLOY_ADDRESS": spec.compose.address} if spec.compose.address else {}
            yield _service(HEAD, _head(spec, plan), {"CAI_DEPLOY_NODE": HEAD, **where, **plan.group.env}, plan)
        else:
            told = {"CAI_DEPLOY_SERVICE": plan.name, **plan.group.env}
            yield _service(plan.name, {"scale": plan.replicas, **_shape(plan)}, told, plan)
    if remote:
        yield (
            "  # A worker on another host, on that host's own network, with ports that a firewall can know:\n"
            "  #   HEAD_IP=… NODE_IP=… docker compose --profile remote-worker up --detach remote-worker\n"
        ) + _service(REMOTE, _remote(remote), _remote_told(spec, remote), remote)


def _common(spec: ClusterSpec, image: str, where: Where) -> dict[str, Any]:
    common: dict[str, Any] = {
        "image": image,
        "init": True,
        "restart": "unless-stopped",
        "stop_grace_period": f"{math.ceil(spec.timeouts.stop) + GRACE}s",
        "working_dir": where.directory,
        "volumes": [f"{where.directory}:{where.directory}", *spec.compose.volumes],
        "healthcheck": {
            "test": ["CMD", PYTHON, "-c", _health()],
            "interval": "15s",
            "timeout": "10s",
            "start_period": "60s",
            "retries": 3,
        },
    }
    if where.user:
        common["user"] = where.user
    return {**common, **spec.compose.extra}


def _told(plan: GroupPlan, where: Where) -> dict[str, str]:
    told = {
        "CAI_DEPLOY_ENVIRONMENT": plan.settings.environment,
        "CAI_DEPLOY_PLACE": PLACE,
        "CDSW_APP_PORT": str(APP_PORT),
        "PYTHONPATH": f"{where.directory}/{layout.code_dir(where.code)}",
    }
    # Who has no entry in an image's list of users has neither a name nor a home there.
    return {**told, "HOME": "/tmp", "USER": "ray"} if where.user else told  # noqa: S108 (in a container of its own)


def _labels(spec: ClusterSpec, where: Where) -> dict[str, str]:
    return {marks.CLUSTER: spec.name, marks.OWNER: where.owner}


def _head(spec: ClusterSpec, plan: GroupPlan) -> dict[str, Any]:
    build = {} if spec.compose.image else {"build": {"context": "./image"}}
    if spec.compose.address:
        return {**build, "network_mode": "host", **_shape(plan)}
    host = spec.compose.publish
    host = f"[{host}]" if ":" in host else host
    ports = plan.settings.ports
    published = [f"{host}:{ports['dashboard']}:{APP_PORT}", f"{host}:{ports['client']}:{ports['client']}"]
    return {**build, **_shape(plan), "ports": published}


def _remote(plan: GroupPlan) -> dict[str, Any]:
    return {"profiles": [REMOTE], "network_mode": "host", **_shape(plan)}


def _remote_told(spec: ClusterSpec, plan: GroupPlan) -> dict[str, str]:
    ours = {
        "CAI_DEPLOY_NODE": "${NODE_NAME:-remote-worker}",
        "CAI_DEPLOY_ADDRESS": "${NODE_IP:-}",
        "RAY_HEAD_ADDRESS": f"${{HEAD_IP:-127.0.0.1}}:{spec.ports.gcs}",
    }
    return {**{name: Verbatim(value) for name, value in ours.items()}, **plan.group.env}


def _shape(plan: GroupPlan) -> dict[str, Any]:
    group = plan.group
    shared = math.ceil(plan.settings.object_store_bytes * SHARED_MEMORY / MB)
    shape: dict[str, Any] = {
        "command": [PYTHON, "-m", "cai_deploy.node.container", plan.program],
        "cpus": group.cpu,
        "mem_limit": f"{math.ceil(group.memory_gb * 1024)}m",
        "shm_size": f"{shared}m",
    }
    if group.gpu:
        device = {"driver": "nvidia", "count": group.gpu, "capabilities": ["gpu"]}
        shape["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
    return shape


def _service(name: str, own: Mapping[str, Any], told: Mapping[str, str], plan: GroupPlan) -> str:
    labels = {marks.GROUP: name, marks.FINGERPRINT: plan.fingerprint}
    return (
        f"  {name}:\n    <<: *node\n{_block(own, 4)}"
        f"    environment:\n      <<: *environment\n{_block(told, 6)}"
        f"    labels:\n      <<: *labels\n{_block(labels, 6)}"
    )


def _anchored(anchor: str, fields: Mapping[str, Any]) -> str:
    return f"x-{anchor}: &{anchor}\n{_block(fields, 2)}"


class Verbatim(str):
    """A text whose dollars are meant for Compose."""


def _literal(value: Any) -> Any:
    """``value`` as Compose has to be given it to see it as it is."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _literal(each) for key, each in value.items()}
    return [_literal(each) for each in value] if isinstance(value, (list, tuple)) else value


def _block(fields: Mapping[str, Any], indent: int = 0) -> str:
    if not fields:
        return ""
    text = yaml.safe_dump(_literal(fields), sort_keys=False, width=1000, allow_unicode=True)
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


def _health() -> str:
    return (
        f"import http.client; agent = http.client.HTTPConnection('127.0.0.1', {APP_PORT}, timeout=5); "
        "agent.request('GET', '/healthz'); raise SystemExit(agent.getresponse().status != 200)"
    )
