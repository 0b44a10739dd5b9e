"""Every call of the API that a command makes goes wrong, in every way: it ends well by itself, or after one re-run.

What goes wrong does so once, as in a bad minute of a workspace: the command may try again, and look, and go on. When it
gives up instead, the same command once more has to come to the same end as if nothing had been.
"""

from __future__ import annotations

from itertools import count

import pytest

from tests.chaos.cluster_of_scripts import Bench
from tests.chaos.conftest import Figure
from tests.chaos.journeys import JOURNEYS, Journey
from tests.chaos.strikes import FAULTS, STRUCK, struck

SOME_CHANGES = pytest.param(4, True, id="some-changes")
EVERY_CALL = pytest.param(1, False, id="every-call", marks=[pytest.mark.long, pytest.mark.timeout(3600)])


@pytest.mark.parametrize(("step", "changes_only"), [SOME_CHANGES, EVERY_CALL])
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", JOURNEYS)
def test_any_call_may_go_wrong(
    bench: Bench, figure: Figure, name: str, kind: str, step: int, changes_only: bool
) -> None:
    """The quick part leaves changes out, each kind other ones, so that every change meets one kind at least."""
    journey = Journey(name, bench, bench.new_cluster())
    problems, cases, alone = [], 0, 0
    for k in count(1 + list(FAULTS).index(kind) % step, step):
        journey.go_to_start()
        transport = struck(bench.workspace, kind, k, changes_only=changes_only)
        ran = bench.run_in_fork(*journey.command, transport=transport)
        bench.faults.clear()
        if STRUCK not in ran.told:
            break
        cases += 1
        alone += ran.status == 0
        what = f"{kind} at {k}: {ran.told}"
        problems += journey.problems(what) if ran.status == 0 else journey.problems_after_a_rerun(what)
    journey.leave()
    what = "some changes" if changes_only else "every call"
    well = cases - len(problems)
    figure(f"{name}: {kind} at {what}: {alone} of {cases} by itself, {well} of {cases} after one re-run at most")
    assert cases > 1
    assert not problems, "\n".join(problems)
