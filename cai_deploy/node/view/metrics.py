"""What the nodes tell of themselves, as Prometheus reads it: one node's, all nodes' in one text, and a list of nodes.

A Prometheus outside reaches no node, only the head's HTTP port. So it discovers the nodes there (its http_sd) and reads
each one's metrics there too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from cai_deploy.node.gcs import Gcs, RayNode

PATH = "/cai-deploy/metrics"
TARGETS = f"{PATH}/targets"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NODE_LABEL = "cai_deploy_node"

TIMEOUT = aiohttp.ClientTimeout(total=5)
AT_ONCE = 16


class NoSuchNode(LookupError):
    """No node of this name is alive."""


class Metrics:
    """Of the nodes that ``gcs`` knows. Use within one loop; ``close`` in the end."""

    def __init__(self, gcs: Gcs) -> None:
        self._gcs = gcs
        self._session = aiohttp.ClientSession(
            timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=AT_ONCE), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    async def targets(self, host: str, scheme: str) -> list[dict[str, Any]]:
        """The nodes as Prometheus' http_sd wants them, each below this very ``host``."""
        return [target(node, host, scheme) for node in await self._alive()]

    async def of_node(self, name: str) -> str:
        """One node's metrics. Raises NoSuchNode, aiohttp.ClientError or TimeoutError."""
        node = next((node for node in await self._alive() if node.name == name), None)
        if node is None:
            raise NoSuchNode(name)
        return await self._read(node)

    async def of_all(self) -> str:
        """Those of every node that answers, and of each node whether it did."""
        nodes = await self._alive()
        texts = await asyncio.gather(*(self._read(node) for node in nodes), return_exceptions=True)
        told = {node.name: text for node, text in zip(nodes, texts, strict=True) if isinstance(text, str)}
        return merged(told) + answering((node.name for node in nodes), told)

    async def _alive(self) -> list[RayNode]:
        nodes = await asyncio.to_thread(self._gcs.nodes)
        return [node for node in nodes if node.state == "ALIVE" and node.metrics_port]

    async def _read(self, node: RayNode) -> str:
        async with self._session.get(
            f"http://{node.address}:{node.metrics_port}/metrics", headers={"Accept": "text/plain;version=0.0.4"}
        ) as answer:
            answer.raise_for_status()
            return await answer.text(errors="replace")


def target(node: RayNode, host: str, scheme: str) -> dict[str, Any]:
    """One entry of http_sd."""
    return {
        "targets": [host],
        "labels": {
            "__scheme__": scheme,
            "__metrics_path__": f"{PATH}/{quote(node.name, safe='')}",
            "instance": node.name,
            "group": node.labels.get("cai-deploy/group", ""),
        },
    }


def merged(texts: Mapping[str, str]) -> str:
    """The metrics of several nodes in one text: each family stands together, each sample names its node."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    described_by: dict[str, str] = {}
    for node, text in texts.items():
        family = ""
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                family = line.split(" ", 3)[2]
                if described_by.setdefault(family, node) == node:
                    heads.setdefault(family, []).append(line)
            elif line and not line.startswith("#"):
                samples.setdefault(family, []).append(_with_node(line, node))
    lines = [line for family, told in samples.items() for line in (*heads.get(family, []), *told)]
    return "".join(f"{line}\n" for line in lines)


def answering(nodes: Iterable[str], told: Mapping[str, str]) -> str:
    """Whether each node's metrics could be read."""
    name = "cai_deploy_node_metrics_read"
    samples = [f'{name}{{{NODE_LABEL}="{node}"}} {int(node in told)}\n' for node in nodes]
    return f"# HELP {name} Whether the node's metrics could be read\n# TYPE {name} gauge\n{''.join(samples)}"


def _with_node(sample: str, node: str) -> str:
    brace, space = sample.find("{"), sample.find(" ")
    label = f'{NODE_LABEL}="{node}"'
    if 0 <= brace < space:
        rest = sample[brace + 1 :]
        return f"{sample[:brace]}{{{label}{'' if rest.startswith('}') else ','}{rest}"
    return f"{sample[:space]}{{{label}}}{sample[space:]}"
