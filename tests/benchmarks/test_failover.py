"""How long a cluster takes to be whole again after a pod is killed, beside Ray's own defaults, in one run and in turns.

Both stand in the same kind of pods, on a platform that starts a failed one again after half a second. Ray's workers
are given what a careful script gives them, the head's present address at each start: without it they would wait for
good for a head that moved. What such a cluster loses (all of its state) is told by `tests/chaos`, not here.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.rows import ratio
from tests.chaos.real_cluster import LONG_WAIT, WHOLE, RealCluster
from tests.e2e.conftest import people, poll

RAW = Path(__file__).with_name("raw_failover.sh")
BESIDE = "Ray's own defaults"
FIGURES = {
    "worker-dead": "a worker's pod is killed: until it is known DEAD",
    "worker-back": "a worker's pod is killed: until another is ALIVE",
    "head-back": "the head is killed, back at its address: until all nodes are ALIVE",
    "head-elsewhere": "the head is killed, back at another address: until all nodes are ALIVE",
}


@pytest.fixture
def cluster() -> Iterator[RealCluster]:
    with people() as make:
        yield RealCluster(make())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the raw pods")
@pytest.mark.timeout(3600)
def test_whole_again_beside_rays_defaults(cluster: RealCluster, record: Record, size: Size) -> None:
    environment = next((cluster.directory / ".cai-deploy" / "environments").glob("ray-*/bin")).parent
    ours, theirs = list[dict[str, float]](), list[dict[str, float]]()
    for _ in range(size.rounds):
        theirs.append(raw_failovers(environment))
        ours.append(failovers(cluster))
        print(f"ours {ours[-1]}, Ray's own {theirs[-1]}", flush=True)
    for each, words in FIGURES.items():
        record(ratio(words, [one[each] for one in ours], BESIDE, [one[each] for one in theirs]))


def failovers(cluster: RealCluster) -> dict[str, float]:
    """Seconds from each kill until each was well; the cluster is whole before and after."""
    cluster.wait_until_whole()
    victim, began = cluster.address("worker-0"), time.monotonic()
    cluster.kill_pod("worker-0")
    moments = dict[str, float]()

    def noted() -> bool:
        alive = {node["address"] for node in cluster.nodes() if node["state"] == "ALIVE"}
        for what, so in (("dead", alive and victim not in alive), ("back", len(alive - {victim}) == len(WHOLE))):
            if so:
                moments.setdefault(what, time.monotonic() - began)
        return len(moments) == 2

    poll("the worker DEAD, and another ALIVE", noted, LONG_WAIT)
    return {
        "worker-dead": moments["dead"],
        "worker-back": moments["back"],
        "head-back": head_lost(cluster, moved=False),
        "head-elsewhere": head_lost(cluster, moved=True),
    }


def head_lost(cluster: RealCluster, *, moved: bool) -> float:
    dead, began = cluster.dead("head"), time.monotonic()
    if moved:
        cluster.kill_pod("head")
    else:
        cluster.kill_ray("head")
    poll(
        "all nodes ALIVE, the head before DEAD",
        lambda: cluster.alive() == WHOLE and cluster.dead("head") > dead,
        LONG_WAIT,
    )
    return time.monotonic() - began


def raw_failovers(environment: Path) -> dict[str, float]:
    """The same of a cluster by `ray start` alone."""
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    done = subprocess.run(
        [*namespaces, RAW, environment, "2"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return {what: float(seconds) for what, seconds in (line.split() for line in done.stdout.splitlines())}
