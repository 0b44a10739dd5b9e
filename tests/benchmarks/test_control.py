"""Control at scale: what the deployer itself costs, where a call takes 100 ms and a node costs nothing.

Workers have no pods, so that the machine does nothing else meanwhile; but deployer and workspace share its processors.
The floor is the same requests sent bare, at the same latency and concurrency, in the same turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.paging import PAGE_SIZE
from cai_deploy.api.schemas import CreateProjectRequest
from cai_deploy.api.transport import Transport
from cai_deploy.testing import LocalWorkspace, local_workspace
from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.instant_nodes import NO_PODS, make_repository
from tests.benchmarks.rows import at_least, at_most, count, ratio

LATENCY = 0.1
PARALLELISM = 30
REPOSITORY = Path(__file__).parents[2]

USUAL, LARGE, LARGEST = 100, 1000, 5000
LONGEST_TURN = LARGE
"""Workers. With more a turn takes longer than a minute, so that there is one of them."""

MOST_CALLS_BESIDE = 60
"""Calls of a launch besides one for each node: the groundwork, the claim, and looks at what has become of it."""

Told = dict[str, float]


@dataclass
class Bench:
    """A workspace with the latency, a repository of instant nodes, and projects that are its clones."""

    workspace: LocalWorkspace
    repository: Path
    client: Client

    def start(self, what: str, cluster: str, workers: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.benchmarks.deployer", what, cluster, str(workers), str(PARALLELISM)]
        environ = {**os.environ, **self.workspace.env()}
        return subprocess.Popen(
            [*command, str(self.repository)],
            cwd=REPOSITORY,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the story of each of a thousand nodes, which is told as it is to people
            text=True,
        )

    def run(self, what: str, clusters: Sequence[str], workers: int) -> list[Told]:
        """What each of ``clusters`` has told, all of them at once; the ``calls`` are those of all together."""
        before = self.calls()
        with self.workspace.faults.during("slow", path="/api/v2/*", delay=LATENCY):
            running = [self.start(what, cluster, workers) for cluster in clusters]
            told = [each.communicate(timeout=1200)[0] for each in running]
        assert [each.returncode for each in running] == [0] * len(running)
        calls = self.calls() - before
        return [{**json.loads(text.splitlines()[-1]), "calls": calls} for text in told]

    def calls(self) -> int:
        return sum(self.workspace.faults.calls().values())

    def run_one(self, what: str, workers: int) -> Told:
        (told,) = self.run(what, ["one"], workers)
        return told

    def run_raw(self, workers: int) -> Told:
        """The same creates by bare requests, in a project of their own that is gone afterwards."""
        self.make_project()
        told = self.run_one("raw", workers)
        self.remove_projects()
        return told

    def make_project(self) -> None:
        request = CreateProjectRequest(
            name="control",
            template="git",
            git_url=str(self.repository),
            default_project_engine_type="ml_runtime",
        )
        project = self.client.projects.create(request).id
        while self.client.projects.get(project).creation_status != "success":
            time.sleep(0.05)

    def remove_projects(self) -> None:
        for project in self.client.projects.list():
            self.client.projects.delete(project.id)


@contextmanager
def open_bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="cai-control-") as directory, local_workspace(stop_grace=0.1) as workspace:
        client = Client(Transport(workspace.host, workspace.api_key))
        make_repository(Path(directory), client.runtimes.list())
        workspace.faults.add("no_pod", target=NO_PODS)
        yield Bench(workspace, Path(directory), client)


@dataclass(frozen=True)
class Turn:
    """One cluster from its first launch to its end, and the floor of its creation."""

    raw: Told
    first: Told
    again: Told
    down: Told

    def cpu_per_worker(self, workers: int) -> float:
        return (self.first["cpu"] + self.down["cpu"]) / workers


def take_turn(at: Bench, workers: int) -> Turn:
    raw = at.run_raw(workers)
    turn = Turn(raw, *(at.run_one(what, workers) for what in ("launch", "launch", "down")))
    at.remove_projects()
    return turn


def check_counts(turn: Turn, workers: int) -> None:
    """What is the same on every machine: one call creates a node and one removes it, however many there are."""
    nodes, pages = workers + 1, -(-(workers + 1) // PAGE_SIZE)
    assert turn.first["ready"] == turn.again["ready"] == turn.first["created"] == turn.down["removed"] == nodes
    assert turn.again["created"] == 0
    assert turn.again["calls"] == 3 + pages
    for told in (turn.first, turn.down):
        assert nodes < told["calls"] <= nodes + MOST_CALLS_BESIDE * pages


def record_turns(record: Record, turns: Sequence[Turn], workers: int) -> None:
    nodes = f"1 + {workers} nodes"
    first, raw = [turn.first for turn in turns], [turn.raw for turn in turns]
    for figure, key in (("creates", "creating"), ("CPU of the launch", "cpu")):
        record(
            ratio(
                f"{figure}, {nodes}",
                [told[key] for told in first],
                "the same requests, bare",
                [told[key] for told in raw],
            )
        )
    pace = count(f"creates per second, {nodes}", *((workers + 1) / told["creating"] for told in first))
    record(pace.toward(at_least(50)))
    until_alive = count(f"seconds until all are ALIVE, {nodes}", *(told["seconds"] for told in first))
    record(until_alive.toward(at_most(25)) if workers <= LARGE else until_alive)
    record(count(f"seconds of a second launch, {nodes}", *(turn.again["seconds"] for turn in turns)))
    record(count(f"seconds of `down`, {nodes}", *(turn.down["seconds"] for turn in turns)))
    record(count(f"calls per node of a launch, {nodes}", *(told["calls"] / (workers + 1) for told in first)))
    if workers >= LARGE:  # with few nodes it is what any launch takes, however many it has
        grown = ((told["peak_mb"] - told["base_mb"]) / workers * 1000 for told in first)
        record(count(f"MB over the base per 1,000 nodes, {nodes}", *grown).toward(at_most(20)))


@pytest.mark.short
@pytest.mark.timeout(1800)
def test_control_at_scale(record: Record, size: Size) -> None:
    sizes = (USUAL,) if size.short else (USUAL, LARGE, LARGEST)
    turns: dict[int, list[Turn]] = {}
    with open_bench() as at:
        for workers in sizes:
            rounds = 1 if size.short or workers > LONGEST_TURN else size.rounds
            turns[workers] = [take_turn(at, workers) for _ in range(rounds)]
            record_turns(record, turns[workers], workers)
            for turn in turns[workers]:
                check_counts(turn, workers)
    if not size.short:
        record_growth(record, turns)


def record_growth(record: Record, turns: dict[int, list[Turn]]) -> None:
    """What a worker costs among many, beside what it costs among fewer; a launch's own beginning is shared by them."""
    for fewer, many in ((USUAL, LARGE), (LARGE, LARGEST)):
        beside = f"the same of 1 + {fewer} nodes"
        for figure, cost in (
            ("seconds of a launch per worker", lambda turn, workers: turn.first["seconds"] / workers),
            ("CPU of launch and `down` per worker", Turn.cpu_per_worker),
        ):
            ours = median(cost(turn, many) for turn in turns[many])
            theirs = median(cost(turn, fewer) for turn in turns[fewer])
            record(ratio(f"{figure}, 1 + {many} nodes", [ours], beside, [theirs]).toward(at_most(1.2)))


def test_two_clusters_at_once(record: Record, size: Size) -> None:
    alone: list[Told] = []
    beside: list[Told] = []
    with open_bench() as at:
        for _ in range(size.rounds):
            at.make_project()
            alone += at.run("launch", ["alone"], USUAL)
            beside += at.run("launch", ["one", "two"], USUAL)
            at.remove_projects()
    assert all(told["ready"] == USUAL + 1 for told in (*alone, *beside))
    for what, key in (("creates", "creating"), ("launch until all ALIVE", "seconds")):
        slower = [max(pair[0][key], pair[1][key]) for pair in zip(beside[::2], beside[1::2], strict=True)]
        figure = f"{what}, 1 + {USUAL} nodes, beside another launch"
        record(ratio(figure, slower, "alone", [told[key] for told in alone]))
