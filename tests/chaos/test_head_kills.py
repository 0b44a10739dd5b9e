"""The head dies again and again under work, at random moments, and comes back here or elsewhere: nothing is lost.

Half of the kills end the pod, which the platform starts again at another address; the others end all of Ray in a pod
that stays. What is measured is ours: the platform here starts a failed application after half a second, not after 300.
"""

from __future__ import annotations

import os
import random
import secrets
import shlex
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.conftest import Figure
from tests.chaos.real_cluster import LONG_WAIT, WHOLE, RealCluster
from tests.e2e.conftest import poll

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

SEED = 5
RECOVERED_WITHIN = 120.0
RAW = Path(__file__).with_name("raw_defaults.sh")
DRIVER = "tests/chaos/workload.py"

ASKED_AFTERWARDS = """
import ray
ray.init('auto', namespace='chaos')
print('IT STANDS AT', ray.get(ray.get_actor('{counter}').read.remote()))
"""

KINDS = ("count", "find", "task", "near", "head")
"""What is asked again and again during the strikes."""

ALL = pytest.param(20, id="twenty", marks=pytest.mark.long)
SOME = pytest.param(2, id="two")


@dataclass(frozen=True)
class Line:
    """One answer that the driver got."""

    asked: float
    answered: float
    kind: str
    detail: str


class Workload:
    """The driver on a worker, as its journal tells of it. Each has a journal and a counter of its own."""

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster
        self.counter = f"counter-{secrets.token_hex(3)}"
        journal = f".cai-deploy/{self.counter}.journal"
        self._file = cluster.directory / journal
        self._read = 0
        self.lines: list[Line] = []
        home = shlex.quote(str(cluster.directory))
        self.job = cluster.start_job(
            f"cd {home} && python {DRIVER} {journal} {self.counter} worker-0",
            entrypoint_resources={f"node:{cluster.address('worker-1')}": 0.001},
        )
        for kind in KINDS:
            poll(f"{kind} is answered for the first time", lambda kind=kind: self._answers(kind), LONG_WAIT)

    def _answers(self, kind: str) -> bool:
        state = self._cluster.job(self.job)
        assert state["status"] in ("PENDING", "RUNNING"), f"no {kind}, but {self.of(f'{kind}-failed')[-3:]}: {state}"
        return bool(self.of(kind))

    def of(self, kind: str) -> list[Line]:
        """Its answers of one kind so far."""
        with self._file.open() if self._file.exists() else Path(os.devnull).open() as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind("\n") + 1]
        self._read += len(whole.encode())
        for line in whole.splitlines():
            asked, answered, word, detail = line.split(" ", 3)
            self.lines.append(Line(float(asked), float(answered), word, detail))
        return [line for line in self.lines if line.kind == kind]

    def answered_after(self, kind: str, moment: float) -> float:
        """When the first question was answered that was asked after ``moment``; 0 while there is none."""
        return next((line.answered for line in self.of(kind) if line.asked > moment), 0.0)

    def __enter__(self) -> Workload:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._file.with_name(f"{self._file.name}.end").touch()

    def end(self) -> str:
        """What the driver printed at its end."""
        self._stop()
        return self._cluster.end_of_job(self.job)


@dataclass(frozen=True)
class Recovery:
    """Seconds from a kill until each part was well again."""

    moved: bool
    nodes: float
    found: float
    served: float
    served_by_head: float
    tasks: float

    @property
    def whole(self) -> float:
        return max(self.nodes, self.found, self.served, self.tasks)

    def __str__(self) -> str:
        parts = f"nodes {self.nodes:.1f}, actor by name {self.found:.1f}, Serve {self.served:.1f}"
        parts += f" (at the head's own port {self.served_by_head:.1f}), tasks {self.tasks:.1f}"
        return f"{'elsewhere' if self.moved else 'same address'}: {self.whole:.1f} s: {parts}"


@pytest.mark.parametrize("kills", [SOME, ALL])
def test_a_head_may_die_at_any_moment(cluster: RealCluster, figure: Figure, kills: int) -> None:
    cluster.wait_until_whole()
    before = cluster.raylets()
    assert all(before.values())
    recoveries = []
    with Workload(cluster) as work:
        for moved, pause in strikes(kills):
            time.sleep(pause)
            recoveries.append(strike(cluster, work, moved=moved))
            print(f"kill {len(recoveries)}: {recoveries[-1]}")
        assert cluster.raylets() == before, "the workers' Ray has not been started again"
        assert cluster.job(work.job)["status"] == "RUNNING"
        asked = ASKED_AFTERWARDS.format(counter=work.counter)
        assert "IT STANDS AT" in cluster.run_python(asked), "a new driver finds it too"
        log = work.end()
    failed = {kind: len(work.of(f"{kind}-failed")) for kind in KINDS}
    assert failed["count"] == 0, work.of("count-failed")
    assert failed["task"] == 0, work.of("task-failed")
    counts = [int(line.detail) for line in work.of("count")]
    assert counts == list(range(1, len(counts) + 1)), "an acknowledged count was lost, or made twice"
    assert f"ENDED WELL AT {len(counts)}" in log
    for kind, chosen in (("at another address", True), ("at the same address", False), ("in all", None)):
        some = [each for each in recoveries if chosen in (None, each.moved)]
        figure(f"head killed, back {kind}: {len(some)}/{len(some)} recovered; {summary(some)}")
    requests = len(work.of("near")) + failed["near"]
    figure(
        f"of the work: {len(counts)} counts, none lost; {len(work.of('task'))} rounds of tasks, none failed; the job "
        f"SUCCEEDED; Serve at a worker's own port: {failed['near']} of {requests} requests failed"
    )


def strikes(count: int) -> Iterator[tuple[bool, float]]:
    """Whether each comes back elsewhere, half of them, and how long the cluster may breathe before it."""
    dice = random.Random(SEED)
    for moved in dice.sample([True, False] * (count // 2), count):
        yield moved, dice.uniform(0, 4)


def strike(cluster: RealCluster, work: Workload, *, moved: bool) -> Recovery:
    dead, address = cluster.dead("head"), cluster.connection()["node_address"]
    began = time.time()
    if moved:
        cluster.kill_pod("head")
    else:
        cluster.kill_ray("head")
    struck = time.time()
    poll(
        "all nodes ALIVE, the head before DEAD",
        lambda: cluster.alive() == WHOLE and cluster.dead("head") > dead,
        RECOVERED_WITHIN,
    )
    nodes = time.time() - began
    parts = {}
    for kind in ("find", "near", "head", "task"):
        poll(f"{kind} is answered", lambda kind=kind: work.answered_after(kind, struck), RECOVERED_WITHIN)
        parts[kind] = work.answered_after(kind, struck) - began
    assert (cluster.connection()["node_address"] != address) == moved
    return Recovery(moved, nodes, parts["find"], parts["near"], parts["head"], parts["task"])


def summary(recoveries: list[Recovery]) -> str:
    whole = [each.whole for each in recoveries]
    head = statistics.median(each.served_by_head for each in recoveries)
    return (
        f"median {statistics.median(whole):.1f} s (min {min(whole):.1f}, max {max(whole):.1f}) until all nodes ALIVE, "
        f"actor, tasks and Serve answer; Serve at the head's own port {head:.1f}"
    )


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the raw pods")
def test_ray_by_itself_loses_the_cluster(cluster: RealCluster, figure: Figure) -> None:
    environment = next((cluster.directory / ".cai-deploy" / "environments").glob("ray-*/bin")).parent
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    done = subprocess.run([*namespaces, RAW, environment, "2"], capture_output=True, text=True, timeout=400, check=True)
    told = done.stdout.splitlines()
    for line in told:
        figure(f"Ray's own defaults: {line}")
    assert sum("ended" in line for line in told) == 2, "if both workers live on, Ray has learnt what we do"
    assert "1 of 3 nodes ALIVE" in told[-1]
