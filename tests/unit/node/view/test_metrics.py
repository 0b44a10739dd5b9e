"""The metrics of all nodes, as a Prometheus outside gets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from cai_deploy.node.gcs import RayNode
from cai_deploy.node.view.metrics import Metrics, NoSuchNode, merged, target
from tests.unit.node.fake_gcs import FakeGcs

ONE = """# HELP a_total A
# TYPE a_total counter
a_total{x="1 {"} 1.0
a_total{} 2.0
# HELP b B
# TYPE b histogram
b_bucket{le="1"} 3
b_count 4
# EOF
"""
OTHER = """# HELP b B of another version
# TYPE b histogram
b_count 5 1700000000
# HELP c C
# TYPE c gauge
"""


def test_families_stand_together() -> None:
    assert merged({"w-0": ONE, "w-1": OTHER}) == (
        "# HELP a_total A\n"
        "# TYPE a_total counter\n"
        'a_total{cai_deploy_node="w-0",x="1 {"} 1.0\n'
        'a_total{cai_deploy_node="w-0"} 2.0\n'
        "# HELP b B\n"
        "# TYPE b histogram\n"
        'b_bucket{cai_deploy_node="w-0",le="1"} 3\n'
        'b_count{cai_deploy_node="w-0"} 4\n'
        'b_count{cai_deploy_node="w-1"} 5 1700000000\n'
    )


def test_a_target() -> None:
    node = RayNode(b"1", "worker/0", "ALIVE", labels={"cai-deploy/group": "gpu"})
    assert target(node, "head.example", "https") == {
        "targets": ["head.example"],
        "labels": {
            "__scheme__": "https",
            "__metrics_path__": "/cai-deploy/metrics/worker%2F0",
            "instance": "worker/0",
            "group": "gpu",
        },
    }


@asynccontextmanager
async def reading(*nodes: RayNode) -> AsyncIterator[Metrics]:
    metrics = Metrics(FakeGcs(*nodes))
    yield metrics
    await metrics.close()


def test_nodes_are_read() -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=ONE)

    async def check() -> None:
        application = web.Application()
        application.router.add_get("/metrics", tell)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        there = RayNode(b"1", "worker-0", "ALIVE", address="127.0.0.1", metrics_port=port)
        silent = RayNode(b"2", "worker-1", "ALIVE", address="127.0.0.1", metrics_port=1)
        gone = RayNode(b"3", "worker-2", "DEAD", address="127.0.0.1", metrics_port=port)
        async with reading(there, silent, gone) as metrics:
            assert await metrics.of_node("worker-0") == ONE
            with pytest.raises(NoSuchNode):
                await metrics.of_node("worker-2")
            with pytest.raises(aiohttp.ClientError):
                await metrics.of_node("worker-1")
            told = await metrics.of_all()
            assert 'a_total{cai_deploy_node="worker-0"} 2.0' in told
            assert 'cai_deploy_node_metrics_read{cai_deploy_node="worker-0"} 1\n' in told
            assert 'cai_deploy_node_metrics_read{cai_deploy_node="worker-1"} 0\n' in told
            assert [each["labels"]["instance"] for each in await metrics.targets("h", "http")] == [
                "worker-0",
                "worker-1",
            ]
        await runner.cleanup()

    asyncio.run(check())
