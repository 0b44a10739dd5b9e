"""Specification + jobs -> the exact steps, and whole runs to where nothing is left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.deploy import launch, preview, tear_down
from cai_deploy.errors import ConfigError
from cai_deploy.places.base import HeadSilent, LeaseLost, NoHead, NotPossibleHere
from cai_deploy.places.slurm.environments import HERE, RUNTIME
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.places.slurm.place import SlurmPlace
from cai_deploy.project.environment import environment_name
from cai_deploy.reconcile import StepFailed
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation, Plan, Step
from tests.unit.places.slurm.fake_slurm import FakeDoors, FakeQueue, alive, head_says_where

LOCK = "ray[default]==2.60.0\n"


def spec(**more: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"place": "slurm", "workers": [{"replicas": 2}], **more})


class Site:
    """A directory, its Slurm, its head; and the place over them. With each moment that passes, Slurm does its work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.queue = FakeQueue()
        self.doors = FakeDoors()
        self.said: list[str] = []
        self.applied: list[str] = []
        self.time = 0.0
        self.hopeless: set[str] = set()
        self.fails: set[str] = set()
        self.deaf: set[str] = set()
        requirements = root / "requirements/cluster.txt"
        requirements.parent.mkdir()
        requirements.write_text(LOCK)
        ready = root / layout.environment_ready_file(environment_name(LOCK, HERE, RUNTIME))
        ready.parent.mkdir(parents=True)
        ready.touch()

    def place(self) -> SlurmPlace:
        return SlurmPlace(self.root, say=self.said.append, queue=self.queue, doors=self.doors, clock=self)

    def launch(self, wanted: ClusterSpec) -> list[str]:
        self.applied = []
        launch(self.place(), wanted, self, self)
        return self.applied

    def down(self, wanted: ClusterSpec) -> list[str]:
        self.applied = []
        tear_down(self.place(), wanted, self, self)
        return self.applied

    def plan(self, wanted: ClusterSpec) -> list[str]:
        return [str(step) for step in preview(self.place(), wanted).plan.steps]

    def mark(self, node: str, group: str = "worker") -> Mark:
        return Mark("ray", owner_of(str(self.root)), node, group, "", 1)

    def number(self, node: str) -> int:
        """The job that runs for a node."""
        running = [job.job_id for job in self.queue.jobs() if job.name == f"ray-{node}" and "RUNNING" in job.job_state]
        assert len(running) == 1, f"{node}: {running}"
        return running[0]

    # Who watches a run

    def looked(self, plan: Plan, seen: Observation) -> None:
        heads = [job for job in self.queue.jobs() if job.name == "ray-head" and "RUNNING" in job.job_state]
        assert len(heads) <= 1, "there are two heads"

    def applying(self, step: Step) -> None:
        if step.kind == "node":
            self.applied.append(f"{step.action} {step.name}: {step.reason}")

    # The clock of a run

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self._slurm_works()

    def _slurm_works(self) -> None:
        for action, number in self.queue.said:
            row = self.queue.rows[number]
            deaf = row["name"].removeprefix("ray-") in self.deaf
            if action == "TERM" and row["job_state"] == "RUNNING" and not deaf:
                self.queue.ends(number)
        for job in self.queue.jobs():
            node = job.name.removeprefix("ray-")
            if job.job_state == ("PENDING",) and not job.dependency:
                if node in self.hopeless:
                    self.queue.becomes(job.job_id, "PENDING", state_reason="PartitionTimeLimit")
                elif node in self.fails:
                    self.queue.ends(job.job_id, "FAILED", exit_code=256)
                else:
                    self.queue.becomes(job.job_id, "RUNNING", state_reason="None")
        running = [job.name.removeprefix("ray-") for job in self.queue.jobs() if "RUNNING" in job.job_state]
        self.doors.nodes = {node: alive() for node in running} if "head" in running else None
        if "head" in running:
            head_says_where(self.root)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


NEW = "does not exist"


def test_a_plan_from_nothing(site: Site) -> None:
    kinds = [step.split(":")[0].rpartition(" ")[0] for step in site.plan(spec())]
    assert kinds == [
        "create code",
        *["create launcher"] * 2,
        "create specification",
        *["create node"] * 3,
        "create record",
    ]
    assert not (site.root / ".cai-deploy/clusters").exists(), "a plan does nothing"


def test_from_nothing_to_a_cluster_and_back(site: Site) -> None:
    assert site.launch(spec()) == [f"create {node}: {NEW}" for node in ("head", "worker-0", "worker-1")]
    assert site.launch(spec()) == []
    assert site.plan(spec()) == []
    *workers, head = site.down(spec())
    assert sorted(workers) == [f"stop {node}: is no longer wanted" for node in ("worker-0", "worker-1")]
    assert head == "stop head: is no longer wanted"
    assert not (site.root / layout.cluster_dir("ray")).exists()
    assert not list(site.root.glob("ray_*_launcher.py"))
    assert {action for action, _ in site.queue.said} == {"submit", "TERM"}, "somebody was struck down"
    assert site.down(spec()) == []


def test_a_job_that_does_not_heed_is_ended_by_slurm_once_its_time_is_over(site: Site) -> None:
    site.launch(spec())
    site.deaf.add("worker-0")
    number, began = site.number("worker-0"), site.time
    site.down(spec(timeouts={"stop": 10}))
    assert [action for action, job in site.queue.said if job == number] == ["submit", "TERM", "cancel"]
    assert site.time - began >= 10


def test_a_head_that_does_not_heed_is_replaced_all_the_same(site: Site) -> None:
    site.launch(spec())
    site.deaf.add("head")
    before = site.number("head")
    site.launch(spec(head={"cpu": 4}, timeouts={"stop": 10}))
    assert site.number("head") > before
    assert ("cancel", before) in site.queue.said


def test_more_and_fewer_workers(site: Site) -> None:
    site.launch(spec())
    assert site.launch(spec(workers=[{"replicas": 3}])) == [f"create worker-2: {NEW}"]
    fewer = site.launch(spec(workers=[{"replicas": 1}], update={"drain": 0}))
    assert sorted(fewer) == [f"stop {node}: is no longer wanted" for node in ("worker-1", "worker-2")]


def test_a_worker_is_drained_by_its_head_before_it_goes(site: Site) -> None:
    site.launch(spec())
    assert site.plan(spec(workers=[{"replicas": 1}]))[1:3] == [
        "drain node worker-1: before it is removed",
        "stop node worker-1: is no longer wanted",
    ]


def test_another_group_asks_for_something_else(site: Site) -> None:
    site.launch(spec())
    wanted = spec(workers=[{"replicas": 2, "slurm": {"partition": "gpu"}}], update={"drain": 0})
    reason = "what it is made from changed"
    assert site.launch(wanted) == [f"restart worker-0: {reason}", f"restart worker-1: {reason}"]
    assert "#SBATCH --partition=gpu" in site.queue.texts[site.number("worker-1")]
    assert site.launch(wanted) == []


def test_a_head_is_replaced_and_there_are_never_two(site: Site) -> None:
    site.launch(spec())
    before = site.number("head")
    applied = site.launch(spec(head={"cpu": 4}))
    assert applied == ["restart head: what it is made from changed (restarts the head: every worker has to rejoin)"]
    assert site.number("head") > before


def test_how_a_job_ended_is_why_there_is_a_new_one(site: Site) -> None:
    site.launch(spec())
    lost = site.number("worker-1")
    site.queue.ends(lost, "NODE_FAIL")
    assert site.launch(spec()) == [f"create worker-1: the machine that it ran on failed (job {lost})"]


def test_what_ended_before_the_cluster_was_launched_is_no_reason(site: Site) -> None:
    site.launch(spec())
    site.down(spec())
    assert f"create node head: {NEW}" in site.plan(spec())


def test_a_job_that_slurm_can_never_start(site: Site) -> None:
    site.hopeless.add("worker-0")
    with pytest.raises(
        StepFailed, match=r"node worker-0: has failed: its time is over the partition's limit"
    ) as failed:
        site.launch(spec())
    assert "is in the queue: its time is over" in failed.value.why
    site.hopeless.clear()
    assert site.launch(spec(workers=[{"replicas": 2, "slurm": {"time": "60"}}]))[0].startswith("restart worker-0: ")


def test_a_job_that_fails_again_and_again(site: Site) -> None:
    site.fails.add("worker-0")
    output = site.root / layout.job_output_file("ray", "worker-0")
    output.parent.mkdir(parents=True)
    output.write_text("python3: not found\n")
    with pytest.raises(StepFailed, match=r"node worker-0: it ended with an error, status 1 \(job \d+\)") as failed:
        site.launch(spec())
    assert failed.value.why == "python3: not found"


def test_a_job_of_a_person_is_no_part_of_the_plan_and_goes_with_the_cluster(site: Site) -> None:
    site.launch(spec())
    client = site.queue.add(site.mark("client-0", "client"))
    assert site.plan(spec()) == []
    gone = site.down(spec())
    assert "stop client-0: is no longer wanted" in gone[:3]
    assert gone[3] == "stop head: is no longer wanted"
    assert ("TERM", client) in site.queue.said


def test_somebody_elses_launcher_is_left_alone(site: Site) -> None:
    file = site.root / "ray_head_launcher.py"
    file.write_text("mine")
    with pytest.raises(ConfigError, match="was not written by cai_deploy"):
        site.launch(spec())
    site.place().forget(spec())
    assert file.read_text() == "mine"


def test_what_the_nodes_wrote_outlives_them(site: Site) -> None:
    site.launch(spec())
    log = site.root / layout.node_log_file("ray", "head")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("secret-token was shown\n")
    assert site.place().logs(spec()).read("head.log")[0] == ["*** was shown"]
    site.down(spec())
    kept = site.place().logs(spec())
    assert (kept.kept, list(kept.sizes())) == (True, ["head.log"])


def test_secrets_are_not_told(site: Site) -> None:
    wanted = spec(head={"env": {"API_KEY": "hush-hush-hush"}})
    log = site.root / layout.node_log_file("ray", "head")
    log.parent.mkdir(parents=True)
    log.write_text("hush-hush-hush\n")
    assert site.place().logs(wanted).read("head.log")[0] == ["***"]


def test_the_way_to_the_head(site: Site) -> None:
    place = site.place()
    with pytest.raises(NoHead, match="there is no cluster"):
        place.access(spec())
    head = site.queue.add(site.mark("head", "head"), "PENDING", state_reason="Resources")
    with pytest.raises(HeadSilent, match="its job is pending: what it asks for is in use"):
        place.access(spec())
    site.queue.becomes(head, "RUNNING")
    site.sleep(1)
    access = place.access(spec())
    assert access.base_url == "http://192.0.2.1:18059"
    assert access.headers == {"X-Ray-Authorization": "Bearer secret-token"}


def test_where_an_earlier_head_was_is_not_asked(site: Site) -> None:
    site.queue.add(site.mark("head", "head"), start_time=4_000_000_000)
    site.doors.nodes = {"head": alive()}
    head_says_where(site.root)
    seen = site.place().observe_cluster(spec())
    assert (seen.connection, seen.nodes[0].ray_state) == (None, "")


def test_where_the_dashboard_is(site: Site) -> None:
    site.launch(spec())
    seen = site.place().observe_cluster(spec())
    assert seen.connection
    assert seen.connection.dashboard_url == "http://192.0.2.1:18059"


def test_one_who_was_overtaken_stops(site: Site) -> None:
    place = site.place()
    place.observe_cluster(spec())
    lease = place.claim("launch")
    try:
        later = Mark("ray", owner_of(str(site.root)), "head", "head", "", lease.epoch + 1)
        site.queue.add(later)
        with pytest.raises(LeaseLost):
            place.observe_cluster(spec())
    finally:
        lease.release()


def test_evidence_of_what_is_there_and_what_has_ended(site: Site) -> None:
    site.launch(spec())
    lost = site.number("worker-1")
    site.queue.ends(lost, "OUT_OF_MEMORY")
    output = site.root / layout.job_output_file("ray", "worker-1")
    output.write_text("oom-kill event\n")
    told = {exhibit.source: exhibit.text for exhibit in site.place().evidence(spec())}
    assert f"it took more memory than it had asked for (job {lost})" in told["the nodes"]
    assert told["output of the job of worker-1"] == "oom-kill event"


def test_what_there_is_not_on_slurm(site: Site) -> None:
    place = site.place()
    asks = (
        lambda: place.pulse(spec(), SlurmObservation()),
        lambda: place.observe_jobs(spec()),
        lambda: place.appointments(spec()),
        lambda: place.delete_project(spec()),
    )
    for ask in asks:
        with pytest.raises(NotPossibleHere):
            ask()
