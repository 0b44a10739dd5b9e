"""Any sequence of changed wishes, hands in the works, faults and kills: one plain launch ends it well.

Hypothesis makes the sequences up; a real workspace bears them. Whatever has happened, a launch brings the cluster to
what is wanted, exactly, and a second one does nothing. So does taking it down.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cai_deploy import layout
from cai_deploy.api.schemas import Application
from cai_deploy.api.transport import Transport
from tests.chaos.cluster_of_scripts import CLUSTER, Bench, Ran
from tests.chaos.conftest import Figure
from tests.chaos.strikes import FAULTS, KILLS, Impatient, struck

SHORT = settings(
    max_examples=12,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a sequence is short enough to be read as it is
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
LONG = settings(SHORT, max_examples=200, stateful_step_count=20, phases=list(Phase))

STRIKES = st.tuples(st.sampled_from([*FAULTS, *KILLS]), st.integers(1, 12), st.just(True)) | st.tuples(
    st.sampled_from([*FAULTS, *KILLS]), st.integers(1, 60), st.just(False)
)
"""What strikes, at the how manieth call, and whether only calls that change something are counted."""


class AnySequence(RuleBasedStateMachine):
    """One cluster and its wishes, from nothing to whatever comes."""

    def __init__(self, bench: Bench, commands: list[str]) -> None:
        super().__init__()
        self.bench = bench
        self.commands = commands
        self.cluster = bench.new_cluster()
        self.spec = self.cluster.want(workers=1)
        self.exists = False

    @initialize(workers=st.integers(0, 3))
    def begin(self, workers: int) -> None:
        """Every sequence begins with a wish, and mostly with a cluster."""
        self.spec = self.cluster.want(workers=workers)

    @rule(
        workers=st.integers(0, 3),
        cpu=st.sampled_from([1, 2]),
        head_cpu=st.sampled_from([1, 1, 1, 2]),
        setting=st.sampled_from(["", "", "on"]),
    )
    def wish(self, workers: int, cpu: float, head_cpu: float, setting: str) -> None:
        """Something else is wanted from now on."""
        self.spec = self.cluster.want(workers=workers, cpu=cpu, head_cpu=head_cpu, setting=setting)

    @rule(strike=STRIKES)
    def launch_and_be_struck(self, strike: tuple[str, int, bool]) -> None:
        """A launch that meets a fault, or dies."""
        self.command("launch", strike)

    @rule()
    def launch(self) -> None:
        """A launch on a good day: the end that everything comes to."""
        ran = self.command("launch")
        assert ran.status == 0, ran.told
        self.bench.check_up(self.cluster, self.spec)
        again = self.command("launch")
        assert again.did_nothing, again.told

    @precondition(lambda self: self.exists)
    @rule(strike=STRIKES)
    def take_down_and_be_struck(self, strike: tuple[str, int, bool]) -> None:
        """A down that meets a fault, or dies."""
        self.command("down", strike)

    @precondition(lambda self: self.exists)
    @rule()
    def take_down(self) -> None:
        """A down on a good day."""
        ran = self.command("down")
        assert ran.status == 0, ran.told
        self.bench.check_down(self.cluster)
        again = self.command("down")
        assert again.did_nothing, again.told

    @precondition(lambda self: self.exists)
    @rule(which=st.integers(0, 3), what=st.sampled_from(["delete", "stop", "kill", "cpu", "description", "script"]))
    def meddle(self, which: int, what: str) -> None:
        """Somebody lays hands on an application."""
        there = self.bench.applications(self.cluster)
        if there:
            self.lay_hands_on(there[which % len(there)], what)

    @precondition(lambda self: self.exists)
    @rule(launcher=st.sampled_from([layout.head_launcher_file(CLUSTER), layout.worker_launcher_file(CLUSTER)]))
    def lose(self, launcher: str) -> None:
        """Somebody deletes a launcher."""
        self.bench.client.files.delete(self.bench.find_project(self.cluster).id, launcher)

    def teardown(self) -> None:
        """Whatever has happened, it ends well; then nothing is left."""
        try:
            self.launch()
        finally:
            self.bench.remove(self.cluster)

    def command(self, verb: str, strike: tuple[str, int, bool] | None = None) -> Ran:
        transport: Callable[..., Transport] = Impatient
        if strike:
            kind, nth, changes_only = strike
            transport = struck(self.bench.workspace, kind, nth, changes_only=changes_only)
        ran = self.bench.run_in_fork(verb, "--config", str(self.cluster.file), transport=transport)
        self.bench.faults.clear()
        note(f"{verb} ended with {ran.status}: {ran.told}")
        self.commands.append(verb)
        self.exists = any(project.name == self.cluster.project for project in self.bench.client.projects.list())
        return ran

    def lay_hands_on(self, application: Application, what: str) -> None:
        project, applications = self.bench.find_project(self.cluster).id, self.bench.client.applications
        if what == "delete":
            applications.delete(project, application.id)
        elif what == "stop":
            applications.stop(project, application.id)
        elif what == "kill":
            with self.bench.faults.during("pod_killed", target=application.id):
                pass
        else:
            changed = {"cpu": 7, "description": "by hand", "script": "node.py"}[what]
            applications.update(project, application.id, **{what: changed})


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
def test_any_sequence_ends_converged(bench: Bench, figure: Figure, how: settings) -> None:
    commands: list[str] = []
    run_state_machine_as_test(lambda: AnySequence(bench, commands), settings=how)  # type: ignore[arg-type]
    figure(f"any sequence: {how.max_examples} sequences, {len(commands)} commands, every one ended converged")
