"""Schedules with real Ray: one fires by the clock and heals a cluster; a chain runs in order, and stops at a failure.

One cluster serves all of it, in the order of the file.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateJobRunRequest, Job, JobRun
from tests.e2e.conftest import Shell, git, people, poll
from tests.e2e.jobs import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EACH_MINUTE = "* * * * *"
SELDOM = "0 0 29 2 *"
ENDED = ("ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_SKIPPED", "ENGINE_TIMEDOUT", "ENGINE_STOPPED")
SYNC, SETUP, LAUNCH = (f"cai-deploy-schedule-ray-refresh-{stage}" for stage in ("git-sync", "setup", "launch"))


def specification(workers: int, **schedule: Any) -> str:
    """A small cluster with a schedule; JSON is YAML too."""
    return json.dumps(
        {
            "head": {"cpu": 1, "memory_gb": 2},
            "workers": [{"replicas": workers, "cpu": 1, "memory_gb": 2}],
            "timeouts": {"launch": 480, "join": 240, "stop": 10},
            "schedule": schedule,
        }
    )


@dataclass
class Team:
    """Somebody at a shell, with a client that sees what the workspace shows."""

    shell: Shell
    client: Client
    project: str

    def states(self) -> dict[str, str]:
        return {node["name"]: node["ray_state"] for node in self.shell.status()["nodes"]}

    def jobs(self) -> dict[str, Job]:
        return {job.name: job for job in self.client.jobs.list(self.project) if "CAI_DEPLOY_CLUSTER" in job.environment}

    def runs(self, name: str) -> list[JobRun]:
        return self.client.jobs.list_runs(self.project, self.jobs()[name].id)

    def told(self, name: str) -> str:
        return self.client.files.read_text(self.project, layout.job_log_file(name)) or ""

    def start(self) -> None:
        """Have the chain begin, as its times would."""
        self.client.jobs.create_run(self.project, self.jobs()[SYNC].id, CreateJobRunRequest())


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    """A cluster that is up, and is launched each minute."""
    heal = {"name": "heal", "does": "launch", "cron": EACH_MINUTE}
    with people() as make:
        shell = make(specification=specification(1, jobs=[heal]))
        shell.ok("workspace", "start")  # by hand, so that it stays when nothing is left in it
        shell.ok("launch")
        client, project = client_of(shell)
        yield Team(shell, client, project.id)


def test_it_fires_by_the_clock_and_heals_a_cluster_whose_head_was_deleted(team: Team) -> None:
    assert team.shell.ok("schedule", "apply").stderr.splitlines()[-1] == "nothing to do"
    (listed,) = team.shell.ok("schedule", "list", "--json").json()["jobs"]
    assert (listed["name"], listed["cron"], listed["timezone"]) == (
        "cai-deploy-schedule-ray-heal",
        EACH_MINUTE,
        "UTC",
    )
    head = next(node for node in team.shell.status()["nodes"] if node["name"] == "head")
    team.client.applications.delete(team.project, head["native_id"])
    alive = {"head": "ALIVE", "worker-0": "ALIVE"}

    def is_back() -> bool:
        nodes = team.shell.status()["nodes"]
        ids = {node["native_id"] for node in nodes}
        return head["native_id"] not in ids and {node["name"]: node["ray_state"] for node in nodes} == alive

    poll("nobody did anything, and another head is there with its worker", is_back, deadline=240)
    ends = [run.status for run in team.runs("cai-deploy-schedule-ray-heal")]
    assert "ENGINE_FAILED" not in ends


def test_what_differs_is_planned_applied_once_and_left_alone_then(team: Team) -> None:
    team.shell.commit("cai-deploy.yaml", specification(0, refresh=SELDOM))
    planned = team.shell.run("schedule", "plan", "--exit-code")
    assert planned.status == 2
    assert planned.stdout.splitlines() == [
        "stop job cai-deploy-schedule-ray-heal: is no longer wanted",
        "update specification .cai-deploy/clusters/ray/spec.json: differs from what is wanted",
        f"create job {SYNC}: does not exist",
        f"create job {SETUP}: does not exist",
        f"create job {LAUNCH}: does not exist",
    ]
    team.shell.ok("schedule", "apply")
    assert team.shell.run("schedule", "plan", "--exit-code").stdout == "nothing to do\n"
    assert team.shell.ok("schedule", "apply").stderr.splitlines()[-1] == "nothing to do"
    assert [job.type for job in team.jobs().values()] == ["cron", "dependent", "dependent"]
    assert team.states() == {"head": "ALIVE", "worker-0": "ALIVE"}, "nodes are not the schedule's business"


def test_a_chain_runs_in_its_order_to_the_newest_commit_and_what_it_specifies(team: Team) -> None:
    team.start()
    poll("the last one has ended", lambda: [run.status in ENDED for run in team.runs(LAUNCH)] == [True], 300)
    runs = [team.runs(name)[0] for name in (SYNC, SETUP, LAUNCH)]
    print(*(team.told(name) for name in (SYNC, SETUP, LAUNCH)), sep="\n")
    assert [run.status for run in runs] == ["ENGINE_SUCCEEDED"] * 3
    assert all(before.finished_at <= after.created_at for before, after in itertools.pairwise(runs))
    assert f"moved to {git(team.shell.checkout, 'rev-parse', 'HEAD').strip()}" in team.told(SYNC)
    assert "nothing to do: it stands already" in team.told(SETUP)
    assert team.states() == {"head": "ALIVE"}, "the newest commit has no workers"
    assert "nothing to do: 1 nodes ALIVE" in team.shell.ok("launch").stderr


def test_a_chain_stops_at_what_fails(team: Team) -> None:
    team.client.files.upload(team.project, "README.md", b"edited by hand\n")
    team.shell.commit("a file", "of a newer commit\n")
    team.start()
    poll("the first one has ended", lambda: team.runs(SYNC)[0].status in ENDED)
    assert team.runs(SYNC)[0].status == "ENGINE_FAILED"
    assert "files of the project were edited inside the workspace" in team.told(SYNC)
    assert [len(team.runs(name)) for name in (SYNC, SETUP, LAUNCH)] == [2, 1, 1]


def test_what_the_platform_would_ignore_is_made_anew_and_nothing_is_left(team: Team) -> None:
    team.shell.commit("cai-deploy.yaml", specification(0, refresh=SELDOM, timezone="Europe/Berlin"))
    before = team.jobs()
    steps = team.shell.ok("schedule", "apply", "--json").json()["steps"]
    assert steps == [
        "update specification .cai-deploy/clusters/ray/spec.json: differs from what is wanted",
        f"replace job {SYNC}: timezone: UTC -> Europe/Berlin (the platform ignores another time zone)",
    ]
    assert team.shell.ok("schedule", "apply").stderr.splitlines()[-1] == "nothing to do"
    after = team.jobs()
    assert after[SYNC].id != before[SYNC].id
    assert (after[SETUP].id, after[SETUP].parent_id) == (before[SETUP].id, after[SYNC].id)

    team.shell.ok("down")
    assert team.jobs() == {}
    assert "nothing to do: no nodes" in team.shell.ok("down").stderr
    assert "there is no cluster ray that something could happen to" in team.shell.run("schedule", "apply").stderr
