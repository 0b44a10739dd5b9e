"""What nobody wants, as a table: what a project holds -> what is left over."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cai_deploy.api.schemas import Application, Job
from cai_deploy.config import parse
from cai_deploy.places.cai import marks, names
from cai_deploy.places.cai.leftovers import Cluster, Contents, find_leftovers

SPEC = parse("workers: [{replicas: 1}]")
PINNED = parse("environment: {pinned: {head: ray-old}}")


def application(node: str, *, cluster: str = "ray", owner: str = "p1", environment: str = "ray-now") -> Application:
    mark = marks.Mark(cluster, owner, node, node.rpartition("-")[0] or node, "f")
    return Application(
        id=f"id-{cluster}-{node}",
        name=names.application_name(cluster, node),
        subdomain=names.subdomain(cluster, node, owner),
        status="APPLICATION_RUNNING",
        environment={**mark.environment(), "CAI_DEPLOY_ENVIRONMENT": environment},
    )


def job(name: str, *, cluster: str = "ray", owner: str = "p1") -> Job:
    return Job(id=f"id-{name}", name=name, environment={marks.CLUSTER: cluster, marks.OWNER: owner})


JOBS = (job("cai-deploy-watchdog-ray"), job("cai-deploy-schedule-ray-start"), job("cai-deploy-schedule-ray-stop"))
TIMED = parse("{watchdog: {}, schedule: {office_hours: {start: '0 8 * * *', stop: '0 18 * * *'}}}")
BOTH = (application("head"), application("worker-0"))
RAY = {"ray": Cluster(SPEC, None)}


@dataclass
class Row:
    name: str
    held: Contents
    left: list[str]


ROWS = [
    Row("an empty project", Contents("p1"), []),
    Row("a cluster as it should be", Contents("p1", BOTH, RAY, {"ray-now": True}, ("ray_head_launcher.py",)), []),
    Row("jobs of a cluster that wants them", Contents("p1", clusters={"ray": Cluster(TIMED, None)}, jobs=JOBS), []),
    Row(
        "jobs that a cluster does not know",
        Contents("p1", BOTH, RAY, jobs=JOBS[1:2]),
        ["job cai-deploy-schedule-ray-start: cluster ray does not want it"],
    ),
    Row(
        "jobs of a cluster that is gone, and those of others",
        Contents("p1", jobs=(JOBS[0], job("a", owner="another project"), Job(name="cai-deploy-watchdog-b"))),
        ["job cai-deploy-watchdog-ray: cluster ray is gone"],
    ),
    Row(
        "applications of a cluster that is gone",
        Contents("p1", BOTH),
        ["application ray-head: cluster ray is gone", "application ray-worker-0: cluster ray is gone"],
    ),
    Row(
        "a worker beyond what is wanted",
        Contents("p1", (*BOTH, application("worker-1")), RAY),
        ["application ray-worker-1: cluster ray does not want it"],
    ),
    Row(
        "a worker of a group that is gone",
        Contents("p1", (*BOTH, application("gpu-0")), RAY),
        ["application ray-gpu-0: cluster ray does not want it"],
    ),
    Row(
        "a second one of a node",
        Contents("p1", (*BOTH, application("worker-0").model_copy(update={"id": "z"})), RAY),
        ["application ray-worker-0: cluster ray does not want it"],
    ),
    Row(
        "what is not ours is none of our business",
        Contents(
            "p1",
            (
                *BOTH,
                Application(id="a", name="ray-worker-7", subdomain="ray-worker-7"),
                application("worker-1", owner="another project"),
                application("worker-1").model_copy(update={"subdomain": "a-copy"}),
            ),
            RAY,
        ),
        [],
    ),
    Row(
        "an environment that nobody runs on",
        Contents("p1", BOTH, RAY, {"ray-now": True, "ray-old": True}),
        ["environment ray-old: no node and no cluster's record uses it"],
    ),
    Row(
        "one that a rollback would go back to is kept",
        Contents("p1", BOTH, {"ray": Cluster(SPEC, PINNED)}, {"ray-now": True, "ray-old": True}),
        [],
    ),
    Row(
        "one that was rolled back to is kept",
        Contents("p1", BOTH, {"ray": Cluster(PINNED, None)}, {"ray-now": True, "ray-old": True}),
        [],
    ),
    Row(
        "one that was never finished",
        Contents("p1", BOTH, RAY, {"ray-now": True, "ray-half": False}),
        ["environment ray-half: it was never finished"],
    ),
    Row(
        "one that is being built is kept",
        Contents("p1", BOTH, RAY, {"ray-now": True, "ray-half": False}, building=True),
        [],
    ),
    Row(
        "launchers that no cluster uses, and copies of those it does",
        Contents(
            "p1", BOTH, RAY, launchers=("ray_head_launcher.py", "ray_head_launcher(1).py", "old_head_launcher.py")
        ),
        [
            "launcher ray_head_launcher(1).py: no cluster uses it",
            "launcher old_head_launcher.py: no cluster uses it",
        ],
    ),
    Row(
        "copies that uploads have left",
        Contents("p1", BOTH, {"ray": Cluster(SPEC, None, ("spec.json", "spec(1).json", "connection.json"))}),
        ["copy spec(1).json: an upload met a file that was there"],
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_leftovers(row: Row) -> None:
    assert [f"{each.kind} {each.name}: {each.reason}" for each in find_leftovers(row.held)] == row.left


def test_of_two_the_older_stays() -> None:
    older, newer = (
        application("worker-0").model_copy(update={"id": id_, "created_at": at}) for id_, at in (("b", "1"), ("a", "2"))
    )
    found = find_leftovers(Contents("p1", (application("head"), newer, older), RAY))
    assert [each.node.native_id for each in found if each.node] == ["a"]
