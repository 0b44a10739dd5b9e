"""kill -9 at every call of the API that a command makes: one plain re-run finishes what was begun.

Nothing stands twice, nothing is left over, no worker is lost or goes on with what it was started with before; and then
there is nothing left to do.
"""

from __future__ import annotations

import time
from itertools import count

import pytest

from tests.chaos.cluster_of_scripts import Bench
from tests.chaos.conftest import Figure
from tests.chaos.journeys import JOURNEYS, Journey
from tests.chaos.strikes import STRUCK, Impatient, struck
from tests.polling import eventually

API = "/api/v2/*"
HELD = {"slow_after": 5.0, "slow": 1.0}
"""Seconds that a call is held: long enough to be killed in, and for ``slow``, to arrive within the re-run."""

NODE_STARTS = 1.0
"""Seconds that a node may take to come up once a late restart has arrived."""


def test_what_a_crash_leaves_may_be_a_head_without_workers(bench: Bench) -> None:
    cluster = bench.new_cluster()
    launch = ("launch", "--config", str(cluster.file))
    spec = cluster.want(workers=1)
    assert bench.run_in_fork(*launch, transport=Impatient).status == 0
    head, worker = bench.applications(cluster)
    bench.client.applications.delete(bench.find_project(cluster).id, worker.id)
    again = bench.run_in_fork(*launch, transport=Impatient)
    bench.client.applications.get(bench.find_project(cluster).id, head.id)
    assert again.status == 0, again.told
    bench.check_up(cluster, spec)


@pytest.mark.parametrize("kind", ["kill_after", pytest.param("kill_before", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", JOURNEYS)
def test_killed_before_or_after_any_change(bench: Bench, figure: Figure, name: str, kind: str) -> None:
    """Each call that changes something, as the quick part: what lies between two of them is all that can be found.

    Killed after one change, it leaves what it would have left killed before the next: the quickest part is one of both.
    """
    journey = Journey(name, bench, bench.new_cluster())
    problems, cases = [], 0
    for k in count(1):
        journey.go_to_start()
        ran = bench.run_in_fork(*journey.command, transport=struck(bench.workspace, kind, k, changes_only=True))
        if STRUCK not in ran.told:
            break
        cases += 1
        problems += journey.problems_after_a_rerun(f"{kind} at change {k}: {ran.told}")
    journey.leave()
    figure(f"{name}: {kind} at every change: {cases - len(problems)} of {cases} finished by one re-run")
    assert cases > 1
    assert not problems, "\n".join(problems)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", HELD)
@pytest.mark.parametrize("name", JOURNEYS)
def test_killed_at_any_call(bench: Bench, figure: Figure, name: str, kind: str) -> None:
    """A process from outside, in the midst of any call: one whose work is done, though no answer came (``slow_after``),

    and one that has left and arrives while the re-run is already under way (``slow``).
    """
    journey = Journey(name, bench, bench.new_cluster())
    problems, cases = [], 0
    for k in count(1):
        journey.go_to_start()
        if not kill_at(journey, kind, k):
            break
        cases += 1
        settled = time.monotonic() + HELD[kind] + NODE_STARTS if kind == "slow" else 0.0
        problems += journey.problems_after_a_rerun(f"killed at call {k} ({kind})", settled=settled)
    journey.leave()
    figure(f"{name}: killed at every call ({kind}): {cases - len(problems)} of {cases} finished by one re-run")
    assert cases > 1
    assert not problems, "\n".join(problems)


def kill_at(journey: Journey, kind: str, k: int) -> bool:
    """Run the journey's command and kill it in the midst of its ``k``-th call; False when it ends before that."""
    faults = journey.bench.faults
    with faults.during(kind, path=API, nth=k, delay=HELD[kind]) as fault:
        process = journey.bench.start(*journey.command)

        def met() -> str:
            fired = any(each.fired for each in faults.all() if each.id == fault.id)
            return "call" if fired else "end" if process.poll() is not None else ""

        try:
            return bool(eventually(met, seconds=60) == "call")
        finally:
            process.kill()
            process.communicate()
