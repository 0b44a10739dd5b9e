"""Whether Ray Serve answers anybody: the requests that its proxies count, read from the nodes' metrics.

Serve's controller, proxies and replicas are there whether anybody asks them or not, and keep a node ACTIVE for Ray. So
what counts is what their proxies did since the last look. Seen on Ray 2.60: a counter appears some seconds after its
request has been answered (3 s, once). The gauge of requests under way does too, and vanishes after some 20 s though the
request goes on; so what it said last holds until it says otherwise, or its proxy is gone. Calls of replicas by handle
come from drivers and actors, which are seen as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.request import ProxyHandler, build_opener

from cai_deploy.node.gcs import Actor, RayNode
from cai_deploy.node.view.standing import SERVE

PROXY = "ProxyActor"
TIMEOUT = 5.0
DIRECT = build_opener(ProxyHandler({}))
"""Nodes reach each other without the proxy that leads outside."""

ANSWERED = re.compile(r"ray_serve_num_(?:http|grpc)_requests_total\{(?P<labels>[^}]*)\} (?P<value>\S+)")
UNDER_WAY = re.compile(r"ray_serve_num_ongoing_(?:http|grpc)_requests\{(?P<labels>[^}]*)\} (?P<value>\S+)")
PROCESS = re.compile(r'WorkerId="([0-9a-f]+)"')
PROBE = re.compile(r'route="/-/')
"""Serve's own paths, which load balancers ask all day long."""


def metrics_of(node: RayNode) -> str:
    """What a node tells of itself, as Prometheus reads it. Raises OSError."""
    with DIRECT.open(f"http://{node.address}:{node.metrics_port}/metrics", timeout=TIMEOUT) as answer:
        return bytes(answer.read()).decode("utf-8", errors="replace")


class ServeTraffic:
    """Compares each look with the one before. ``read`` fetches a node's metrics."""

    def __init__(self, read: Callable[[RayNode], str] = metrics_of) -> None:
        self._read = read
        self._answered: dict[str, float] | None = None
        self._under_way: dict[str, float] = {}

    def look(self, nodes: Iterable[RayNode], actors: Iterable[Actor]) -> list[str]:
        """What Serve did since the last look, and does now. The first look has nothing to compare with.

        Raises OSError when a node with a proxy does not tell.
        """
        proxies = [actor for actor in actors if (actor.namespace, actor.class_name) == (SERVE, PROXY)]
        homes = {proxy.node for proxy in proxies}
        text = "\n".join(self._read(node) for node in nodes if node.id in homes and node.state == "ALIVE")
        living = {proxy.process for proxy in proxies}
        self._under_way = {key: value for key, value in self._under_way.items() if _process(key) in living}
        self._under_way |= {key: value for key, value in _samples(UNDER_WAY, text) if _process(key) in living}
        before, now = self._answered, {key: value for key, value in _samples(ANSWERED, text) if not PROBE.search(key)}
        self._answered = now
        more = 0.0 if before is None else sum(max(value - before.get(key, 0.0), 0.0) for key, value in now.items())
        return [
            *([f"Serve answered {more:g} requests"] if more else []),
            *([f"Serve is answering {total:g} requests"] if (total := sum(self._under_way.values())) > 0 else []),
        ]


def _samples(kind: re.Pattern[str], text: str) -> list[tuple[str, float]]:
    return [(found["labels"], float(found["value"])) for found in kind.finditer(text)]


def _process(labels: str) -> str:
    found = PROCESS.search(labels)
    return found[1] if found else ""
