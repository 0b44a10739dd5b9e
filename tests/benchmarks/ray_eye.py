"""What a Ray cluster shows to somebody who trusts no report: its node table, its tasks, an actor.

Run by the Python of a Ray environment, never imported: ``ray_eye.py QUESTION ADDRESS ...``; the answer is
JSON, or a word.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAUSE = 0.05
PATIENCE = 8.0
"""Seconds that a task may take, the start of its process included."""

ACTOR = {"name": "kept", "namespace": "eye", "lifetime": "detached", "max_restarts": -1, "num_cpus": 0}


def alive(address: str, count: str, token: str = "") -> float:
    """When, in seconds since 1970, the GCS first lists so many nodes ALIVE. The token may not stand there yet."""
    while token and not Path(token).exists():
        time.sleep(PAUSE)
    return back(address, count)


def back(address: str, count: str, gone: str = "") -> float:
    """When so many are ALIVE, of which none is the node ``gone``, in whichever GCS is there then."""
    return _when(address, lambda states: [*states.values()].count(0) - (states.get(gone) == 0) >= int(count))


def dead(address: str, node: str) -> float:
    """When the GCS has the node for dead."""
    return _when(address, lambda states: states[node] != 0)


def at(address: str, where: str) -> str:
    """The id of the node that is ALIVE at an IP address."""
    from ray._raylet import GcsClient

    listed = GcsClient(address=address).get_all_node_info(timeout=5)
    return next(node.hex() for node, info in listed.items() if info.state == 0 and info.node_manager_address == where)


def _when(address: str, so: Callable[[dict[str, int]], bool]) -> float:
    """When it is first so of the states of all nodes by their ids, 0 for ALIVE."""
    from ray._raylet import GcsClient
    from ray.exceptions import RpcError

    while True:
        _wait_for_door(address)
        client = GcsClient(address=address)
        try:
            while not so({node.hex(): info.state for node, info in client.get_all_node_info(timeout=5).items()}):
                time.sleep(PAUSE)
            return time.time()
        except RpcError:  # the GCS is gone, or busy with its start
            time.sleep(PAUSE)


def _wait_for_door(address: str) -> None:
    host, _, port = address.partition(":")
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(PAUSE)


def whole(address: str, count: str) -> list[str]:
    """The addresses at which a task has just run, one for each node that is listed ALIVE."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    _begin(address)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if len(nodes) != int(count):
        return []

    @ray.remote(num_cpus=0, max_retries=0)
    def where() -> str:
        return str(ray.util.get_node_ip_address())

    asked = [where.options(scheduling_strategy=NodeAffinitySchedulingStrategy(each, soft=False)) for each in nodes]
    return sorted(ray.get([each.remote() for each in asked], timeout=PATIENCE))


def count(address: str, where: str) -> int:
    """How often an actor was asked that can be on one host alone; it is made at the first time."""
    import ray

    _begin(address)

    class Kept:
        def __init__(self) -> None:
            self.times = 0

        def asked(self) -> int:
            self.times += 1
            return self.times

    made = ray.remote(Kept).options(**ACTOR, get_if_exists=True, resources={f"node:{where}": 0.001}).remote()
    return int(ray.get(made.asked.remote(), timeout=30))


def _begin(address: str) -> None:
    import ray

    ray.init(address, log_to_driver=False, logging_level="ERROR")


if __name__ == "__main__":
    question, *arguments = sys.argv[1:]
    answer: Any = {each.__name__: each for each in (alive, back, dead, at, whole, count)}[question](*arguments)
    print(answer if isinstance(answer, str) else json.dumps(answer), flush=True)
    os._exit(0)  # a driver that says goodbye may wait long for a node that is gone
