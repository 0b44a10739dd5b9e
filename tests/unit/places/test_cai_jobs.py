"""What happens by the clock, as jobs of a project: what is wanted and there -> the steps, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import Job, JobRun
from cai_deploy.config import parse
from cai_deploy.errors import DeployError
from cai_deploy.places.appointment import Appointment
from cai_deploy.places.cai import CaiPlace, collector, job_ground
from cai_deploy.places.cai.apply import apply
from cai_deploy.places.cai.appointments import appointments
from cai_deploy.places.cai.build import Site, draft
from cai_deploy.places.cai.collector import Collector
from cai_deploy.places.cai.leftovers import Contents
from cai_deploy.plan import plan
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation, Step, Wanted, WantedGround
from tests.unit.places.fake_jobs import FakeWorkspace
from tests.unit.places.test_cai_build import PROJECT, SEEN

SITE = Site("https://ml.example.com", "https://example.com/a.git")
HOURLY = "watchdog: {schedule: '0 * * * *'}"
NIGHTLY = "schedule: {refresh: '30 2 * * *'}"
OFFICE = "schedule: {timezone: Europe/Berlin, office_hours: {start: '0 8 * * 1-5', stop: '0 18 * * 1-5'}}"
MORE = "schedule: {jobs: [{name: more, does: scale, cron: '0 9 * * *', arguments: --workers 8}]}"
NAME = "cai-deploy-schedule-ray"


def wanted(text: str, applied: str = "", site: Site = SITE) -> list[WantedGround]:
    """The jobs that a specification wants, where another one is in force."""
    seen = replace(SEEN, applied_spec=parse(applied))
    return [each for each in draft(parse(text), seen, site).timetable(site) if each.kind == "job"]


def steps(workspace: FakeWorkspace, wants: list[WantedGround]) -> list[Step]:
    ground = tuple(job_ground.look(workspace.jobs.jobs, want) for want in wants)
    return list(plan(Wanted(tuple(wants)), Observation(ground)).steps)


def reach(workspace: FakeWorkspace, text: str, applied: str = "") -> list[str]:
    """Carry out all that is planned, and tell it. There is nothing to do then."""
    told: list[str] = []
    for _ in range(10):
        planned = steps(workspace, wanted(text, applied))
        if not planned:
            return told
        told.append(str(planned[0]))
        apply(cast(Client, workspace), planned[0], PROJECT)
    raise AssertionError(f"it does not come to an end: {told}")


def with_jobs(text: str) -> FakeWorkspace:
    workspace = FakeWorkspace()
    reach(workspace, text)
    return workspace


def body(text: str, name: str) -> dict[str, Any]:
    return next(want.request["body"] for want in wanted(text) if want.name == name)


def test_the_watchdog_comes_by_the_clock_in_the_heads_environment_and_never_for_ever() -> None:
    made = body(HOURLY, "cai-deploy-watchdog-ray")
    assert made["script"].endswith("watchdog.py")
    assert (made["schedule"], made["timezone"]) == ("0 * * * *", "UTC")
    assert made["arguments"].startswith("--environment ray-")
    assert made["arguments"].endswith(" --cluster ray")
    assert made["kill_on_timeout"]
    assert made["timeout"] > ClusterSpec().timeouts.launch


def test_a_refresh_is_three_jobs_each_after_the_one_before() -> None:
    wants = wanted(f"project: {{git_ref: v2}}\n{NIGHTLY}")
    assert [want.name for want in wants] == [f"{NAME}-refresh-{stage}" for stage in ("git-sync", "setup", "launch")]
    scripts = [want.request["body"]["script"].rpartition("/")[2] for want in wants]
    assert scripts == ["git_sync.py", "setup_environment.py", "deployer.py"]
    arguments = [want.request["body"]["arguments"] for want in wants]
    assert arguments[0] == "--ref v2"
    assert arguments[1].startswith("--requirements requirements/cluster.txt --python 3.11 --runtime ")
    assert arguments[2] == "launch --cluster ray"
    assert [want.request.get("after") for want in wants] == [None, wants[0].name, wants[1].name]
    assert [want.request["body"]["schedule"] for want in wants] == ["30 2 * * *", "", ""]
    assert "timezone" not in wants[1].request["body"]


def test_office_hours_launch_what_was_and_put_it_to_sleep() -> None:
    start, stop = (body(OFFICE, f"{NAME}-{name}") for name in ("start", "stop"))
    assert (start["schedule"], start["timezone"]) == ("0 8 * * 1-5", "Europe/Berlin")
    assert start["arguments"] == "launch --config .cai-deploy/clusters/ray/spec.json"
    assert stop["arguments"] == "sleep --config .cai-deploy/clusters/ray/spec.json"
    assert not start["retry_enabled"]


def test_a_verb_has_its_own_arguments_tries_and_time() -> None:
    text = """
    schedule:
      jobs:
      - {name: train, does: submit, after: more, arguments: -- python a.py, retries: 2, retry_delay: 5, timeout: 60}
      - {name: more, does: scale, cron: '0 9 * * *', arguments: --workers 8}
    """
    assert [want.name for want in wanted(text)] == [f"{NAME}-more", f"{NAME}-train"], "parents first"
    train = body(text, f"{NAME}-train")
    assert train["arguments"] == "submit --config .cai-deploy/clusters/ray/spec.json -- python a.py"
    assert (train["retry_enabled"], train["max_retry"], train["retry_delay"]) == (True, 2, 5)
    assert train["retry_for_script_failure"]
    assert train["timeout"] == 60


RUNTIME = "registry/ml-runtime-pbjworkbench-standard"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", HOURLY, ["create job cai-deploy-watchdog-ray: does not exist"]),
        (HOURLY, HOURLY, []),
        (
            HOURLY,
            "watchdog: {schedule: '30 * * * *'}",
            ["update job cai-deploy-watchdog-ray: cron: 0 * * * * -> 30 * * * *"],
        ),
        (HOURLY, "", ["stop job cai-deploy-watchdog-ray: is no longer wanted"]),
        (
            MORE,
            MORE.replace("8}", "9, retries: 1, retry_delay: 30}"),
            [
                f"update job {NAME}-more: arguments: scale --config .cai-deploy/clusters/ray/spec.json --workers 8"
                " -> scale --config .cai-deploy/clusters/ray/spec.json --workers 9, retries: 0 -> 1,"
                " retry_delay: 0 -> 30"
            ],
        ),
        (
            MORE,
            MORE.replace("arg", "timezone: Asia/Tokyo, arg"),
            [f"replace job {NAME}-more: timezone: UTC -> Asia/Tokyo (the platform ignores another time zone)"],
        ),
        (
            NIGHTLY,
            NIGHTLY.replace("}", ", timezone: Asia/Tokyo}"),
            [
                f"replace job {NAME}-refresh-git-sync: timezone: UTC -> Asia/Tokyo"
                " (the platform ignores another time zone)"
            ],
        ),
        (
            f"{MORE[:-2]}, {{name: b, does: launch, after: more}}]}}",
            f"{MORE[:-2]}, {{name: b, does: launch, cron: '0 9 * * *'}}]}}",
            [
                f"replace job {NAME}-b: cron:  -> 0 9 * * *, timezone:  -> UTC, after: {NAME}-more -> "
                " (the platform ignores another time zone; a job that follows another one is never set free)"
            ],
        ),
        (
            f"{MORE[:-2]}, {{name: b, does: launch, cron: '0 9 * * *'}}]}}",
            f"{MORE[:-2]}, {{name: b, does: launch, after: more}}]}}",
            [f"update job {NAME}-b: cron: 0 9 * * * -> , after:  -> {NAME}-more"],
        ),
        (
            NIGHTLY,
            OFFICE,
            [
                *(f"stop job {NAME}-refresh-{stage}: is no longer wanted" for stage in ("git-sync", "setup", "launch")),
                f"create job {NAME}-start: does not exist",
                f"create job {NAME}-stop: does not exist",
            ],
        ),
    ],
)
def test_the_steps_from_one_schedule_to_another(before: str, after: str, told: list[str]) -> None:
    assert reach(with_jobs(before), after, before) == told


def test_what_follows_a_job_that_is_made_anew_follows_the_new_one() -> None:
    workspace = with_jobs(NIGHTLY)
    old, setup, _ = workspace.jobs.jobs
    reach(workspace, NIGHTLY.replace("}", ", timezone: Asia/Tokyo}"))
    new = next(job for job in workspace.jobs.jobs if job.name == old.name)
    assert new.id != old.id
    assert [job.parent_id for job in workspace.jobs.jobs if job.id == setup.id] == [new.id]
    assert workspace.jobs.calls[-3:] == ["create", "update", "delete"], "one is always there"


def changed(workspace: FakeWorkspace, change: Callable[[Job], Job | None]) -> FakeWorkspace:
    workspace.jobs.jobs = [job for each in workspace.jobs.jobs if (job := change(each))]
    return workspace


def test_what_somebody_did_to_a_job_is_taken_back() -> None:
    edited = changed(with_jobs(MORE), lambda job: job.model_copy(update={"cpu": 4.0, "kill_on_timeout": False}))
    assert reach(edited, MORE) == [f"update job {NAME}-more: cpu: 4.0 -> 1.0, killed after it: False -> True"]

    orphaned = changed(with_jobs(NIGHTLY), lambda job: None if job.name.endswith("git-sync") else job)
    assert reach(orphaned, NIGHTLY) == [
        f"create job {NAME}-refresh-git-sync: does not exist",
        f"update job {NAME}-refresh-setup: after: a job that is gone -> {NAME}-refresh-git-sync",
    ]


def test_a_second_one_goes_and_one_is_always_there() -> None:
    workspace = with_jobs(MORE)
    workspace.jobs.jobs.append(workspace.jobs.jobs[0].model_copy(update={"id": "second"}))
    assert reach(workspace, MORE) == [
        f"replace job {NAME}-more: jobs of this name: 2 -> 1 (all but one would run beside it)"
    ]
    assert len(workspace.jobs.jobs) == 1


@pytest.mark.parametrize("environment", [{}, {"CAI_DEPLOY_CLUSTER": "ray"}, {"CAI_DEPLOY_OWNER": PROJECT}])
def test_a_job_of_that_name_without_our_mark_is_left_alone(environment: dict[str, str]) -> None:
    theirs = Job(id="theirs", name=f"{NAME}-more", environment=environment)
    workspace = FakeWorkspace(theirs)
    reach(workspace, MORE)
    reach(workspace, "", MORE)
    assert workspace.jobs.jobs == [theirs]


def test_a_job_that_somebody_paused_stays_paused() -> None:
    paused = changed(with_jobs(MORE), lambda job: job.model_copy(update={"paused": True}))
    assert reach(paused, MORE) == []


def test_a_parent_that_is_gone_is_said() -> None:
    setup = wanted(NIGHTLY)[1]
    with pytest.raises(DeployError, match=f"{NAME}-refresh-git-sync is gone"):
        apply(cast(Client, FakeWorkspace()), Step("create", "job", setup.name, "", 0, request=setup.request), PROJECT)


def test_a_run_that_is_no_longer_wanted_ends_itself_last() -> None:
    own = f"{NAME}-refresh-launch"
    names = [want.name for want in wanted(OFFICE, NIGHTLY, replace(SITE, own_job=own))]
    assert names == [f"{NAME}-refresh-git-sync", f"{NAME}-refresh-setup", f"{NAME}-start", f"{NAME}-stop", own]


@pytest.mark.parametrize(
    ("applied", "calls", "told"),
    [
        ("", [], []),
        (HOURLY, ["list"], ["stop job cai-deploy-watchdog-ray: is no longer wanted"]),
        (MORE, ["list"], [f"stop job {NAME}-more: is no longer wanted"]),
    ],
)
def test_down_removes_the_jobs_first_and_asks_for_them_only_where_there_may_be_some(
    monkeypatch: pytest.MonkeyPatch, applied: str, calls: list[str], told: list[str]
) -> None:
    workspace = with_jobs(applied)
    workspace.jobs.calls.clear()
    door = ApplicationHttp("https://ml.example.com", "key")
    place = CaiPlace(cast(Client, workspace), door, SITE, project_id=PROJECT, say=print)
    monkeypatch.setattr(place._reader, "observe", lambda spec: replace(SEEN, applied_spec=parse(applied)))
    seen = place.observe_leaving(ClusterSpec())
    assert [str(step) for step in plan(place.build_leaving(ClusterSpec(), seen), seen).steps] == told
    assert workspace.jobs.calls == calls


def test_jobs_are_told_with_their_last_runs_each_after_the_one_that_it_follows() -> None:
    workspace = with_jobs(f"{HOURLY}\n{NIGHTLY}")
    changed(workspace, lambda job: job.model_copy(update={"paused": True}) if "watchdog" in job.name else job)
    workspace.jobs.jobs.append(Job(id="theirs", name="another's"))
    setup = next(job for job in workspace.jobs.jobs if job.name.endswith("setup"))
    workspace.jobs.runs[setup.id] = [JobRun(status="ENGINE_FAILED", created_at="2026-11-21T02:31:00Z")]
    workspace.jobs.jobs.reverse()
    assert appointments(cast(Client, workspace), PROJECT, "ray") == [
        Appointment(f"{NAME}-refresh-git-sync", "30 2 * * *", "UTC"),
        Appointment(setup.name, after=f"{NAME}-refresh-git-sync", last="failed", last_at="2026-11-21T02:31:00Z"),
        Appointment(f"{NAME}-refresh-launch", after=setup.name),
        Appointment("cai-deploy-watchdog-ray", "0 * * * *", "UTC", paused=True),
    ]


def test_jobs_of_a_cluster_that_is_gone_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = with_jobs(f"{HOURLY}\n{OFFICE}")
    theirs = Job(id="theirs", name="cai-deploy-watchdog-ray")
    workspace.jobs.jobs.append(theirs)
    held = lambda client, project_id: Contents(PROJECT, jobs=tuple(workspace.jobs.jobs))  # noqa: E731
    monkeypatch.setattr(collector, "read_contents", held)
    gc = Collector(cast(Client, workspace), PROJECT)
    assert [item.name for item in gc.find()] == ["cai-deploy-watchdog-ray", f"{NAME}-start", f"{NAME}-stop"]
    assert gc.observe().nodes == ()
    gc.remove_others()
    assert workspace.jobs.jobs == [theirs]
