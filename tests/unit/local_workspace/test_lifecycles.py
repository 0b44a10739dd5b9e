"""How long things take, what fits, and what the workspace does by itself. Sections are those of cml-behaviour."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.local_workspace.settings import TRANSITIONS, VARIABLE, Delay, Settings, load

from .conftest import SERVER_SCRIPT, Client, eventually

Tune = Callable[..., Any]


@pytest.fixture
def tune(shared: Client) -> Iterator[Tune]:
    """Change the shared workspace's settings until the test ends."""
    before = shared.local("GET", "settings")
    yield lambda **changes: shared.local("PATCH", "settings", changes)
    shared.local("PATCH", "settings", before)


@pytest.fixture
def started(shared: Client, project: str) -> Callable[..., str]:
    """Upload a script and start a run of it; returns the run's path."""

    def start(script: str, body: Any = None, **job: Any) -> str:
        shared.upload(project, "x.py", script)
        made = shared.job(project, "x.py", **job)
        runs = f"projects/{project}/jobs/{made['id']}/runs"
        return f"{runs}/{shared.post(runs, body)['id']}"

    return start


@pytest.mark.parametrize(
    "change",
    [
        {"nonsense": 1},
        {"delays": {"nonsense": "now"}},
        {"delays": {"run-starting": "soon"}},
        {"delays": {"run-starting": 3}},
        {"delays": []},
        {"quota": {"cpu": -1}},
        {"quota": {"disk": 1}},
        {"restart_attempts": 1.5},
        {"restart_pause": "5"},
        {"kernel": "jupyter"},
        {"put_upload": 1},
    ],
)
def test_settings_that_cannot_be_are_refused_and_change_nothing(shared: Client, change: dict[str, Any]) -> None:
    before = shared.local("GET", "settings")
    response = shared.session.patch(f"{shared.endpoint.host}/local/v1/settings", json=change, timeout=10)
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert shared.local("GET", "settings") == before


def test_the_page_tells_of_every_setting() -> None:
    page = (Path(__file__).parents[3] / "docs" / "local-workspace.md").read_text(encoding="utf-8")
    assert [name for name in (*Settings().shown(), *TRANSITIONS) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("now", Delay()),
        ("1 look", Delay(looks=1)),
        ("3 looks", Delay(looks=3)),
        ("2.5 seconds", Delay(seconds=2.5)),
        ("never", Delay(seconds=float("inf"))),
    ],
)
def test_delays_as_people_write_them(text: str, delay: Delay) -> None:
    assert Delay.parse(text) == delay


@pytest.mark.parametrize(
    ("file", "variable"), [("{", None), ("[]", None), ('{"kernel": 5}', None), (None, "nonsense"), (None, '{"x": 1}')]
)
def test_settings_that_cannot_be_read_name_their_source(tmp_path: Path, file: str | None, variable: str | None) -> None:
    if file:
        (tmp_path / "settings.json").write_text(file)
    with pytest.raises(ConfigError, match="settings.json" if file else VARIABLE):
        load(tmp_path / "settings.json", {VARIABLE: variable} if variable else {})


def test_a_run_goes_through_scheduling_and_starting_look_by_look(shared: Client, tune: Tune, started: Any) -> None:
    """cml-behaviour 11.9: asynchronous states with tunable delays."""
    tune(delays={"run-starting": "2 looks", "run-running": "1 look"})
    run = started("")
    seen = []
    while not seen or seen[-1] not in {"ENGINE_SUCCEEDED", "ENGINE_FAILED"}:
        seen.append(shared.get(run)["status"])
        time.sleep(0.05)
    assert seen[:3] == ["ENGINE_SCHEDULING", "ENGINE_SCHEDULING", "ENGINE_STARTING"]
    assert seen[-1] == "ENGINE_SUCCEEDED"


def test_nothing_leaves_scheduling_until_it_may(shared: Client, tune: Tune, started: Any) -> None:
    """cml-behaviour 8, 11.9: a run can stay in SCHEDULING; there it can be stopped, and later it can go on."""
    tune(delays={"run-starting": "never"})
    stuck, stopped = started(""), started("")
    time.sleep(0.3)
    assert {shared.get(stuck)["status"], shared.get(stopped)["status"]} == {"ENGINE_SCHEDULING"}
    assert shared.post(f"{stopped}:stop")["status"] == "ENGINE_STOPPING"
    assert shared.end_of(stopped) == "ENGINE_STOPPED"
    tune(delays={"run-starting": "now"})
    assert shared.end_of(stuck) == "ENGINE_SUCCEEDED"


def test_seconds_pass_and_deletes_wait_for_no_delay(shared: Client, tune: Tune, project: str) -> None:
    """cml-behaviour 9: STARTING, RUNNING, STOPPING, STOPPED."""
    tune(delays={"application-running": "0.5 seconds", "application-stopped": "never"})
    shared.upload(project, "server.py", SERVER_SCRIPT)
    path = shared.application(project, "slow", "server.py")
    began = time.monotonic()
    shared.until(path, "APPLICATION_RUNNING")
    assert time.monotonic() - began > 0.45
    shared.post(f"{path}:stop")
    time.sleep(0.3)
    assert shared.get(path)["status"] == "APPLICATION_STOPPING"
    assert shared.post(f"{path}:restart")["status"] == "APPLICATION_STARTING"
    shared.until(path, "APPLICATION_RUNNING")
    shared.post(f"{path}:stop")
    shared.delete(path)
    assert shared.refused("GET", path)[0] == 404


def test_a_project_is_creating_for_as_long_as_asked(shared: Client, tune: Tune) -> None:
    """cml-behaviour 5, 11.9."""
    tune(delays={"project-created": "3 looks"})
    path = f"projects/{shared.post('projects', {'name': 'slow'})['id']}"
    assert [shared.get(path)["creation_status"] for _ in range(3)] == ["creating"] * 3
    eventually(lambda: shared.get(path)["creation_status"] == "success")
    shared.delete(path)


def test_an_application_is_running_once_its_polling_endpoint_answers(shared: Client, project: str) -> None:
    """cml-behaviour 9: STARTING until it answers on CDSW_APP_PORT; the endpoint is the application's to choose."""
    script = SERVER_SCRIPT.replace(
        "def _answer(self):", "def _answer(self):\n        open('asked', 'a').write(self.path)"
    )
    shared.upload(project, "server.py", script)
    path = shared.application(project, "polled", "server.py", environment={"CDSW_APP_POLLING_ENDPOINT": "/up?a=b"})
    shared.until(path, "APPLICATION_RUNNING")
    assert shared.download(project, "asked").startswith(b"/up?a=b")


def test_a_failed_application_is_started_again_a_few_times(shared: Client, tune: Tune, project: str) -> None:
    tune(restart_attempts=2, restart_pause=0.2)
    shared.upload(project, "x.py", "open('starts', 'a').write('x')\n1/0")
    path = shared.application(project, "again-and-again", "x.py")
    eventually(lambda: "starts" in shared.names(project) and shared.download(project, "starts") == b"xxx")
    eventually(lambda: shared.get(path)["status"] == "APPLICATION_FAILED")
    time.sleep(0.5)
    assert shared.download(project, "starts") == b"xxx"
    told = shared.local("GET", f"applications/{path.rpartition('/')[2]}")
    assert (told["attempts"], told["retry_at"], told["exit_code"]) == (2, None, 1)
    shared.post(f"{path}:restart")  # and its attempts begin anew
    eventually(lambda: shared.download(project, "starts") == b"x" * 6)


def test_a_restart_does_not_wait_for_the_next_attempt(shared: Client, tune: Tune, project: str) -> None:
    """cml-behaviour 9: :restart starts a stopped or failed application."""
    tune(restart_attempts=3, restart_pause=300)
    shared.upload(project, "x.py", "import os\nif not os.path.exists('good'): 1/0\n" + SERVER_SCRIPT)
    path = shared.application(project, "heals", "x.py")
    eventually(lambda: shared.get(path)["status"] == "APPLICATION_FAILED")
    assert shared.local("GET", f"applications/{path.rpartition('/')[2]}")["retry_at"] is not None
    shared.upload(project, "good", "")
    assert shared.post(f"{path}:restart")["status"] == "APPLICATION_STARTING"
    shared.until(path, "APPLICATION_RUNNING")


def test_a_stop_ends_the_attempts(shared: Client, tune: Tune, project: str) -> None:
    tune(restart_attempts=3, restart_pause=300)
    shared.upload(project, "x.py", "1/0")
    path = shared.application(project, "gives-up", "x.py")
    eventually(lambda: shared.get(path)["status"] == "APPLICATION_FAILED")
    assert shared.post(f"{path}:stop")["status"] == "APPLICATION_FAILED"
    assert shared.local("GET", f"applications/{path.rpartition('/')[2]}")["retry_at"] is None


def test_what_does_not_fit_into_the_quota_waits(shared: Client, tune: Tune, project: str, started: Any) -> None:
    """cml-behaviour 8: 4 vCPU never started, 2 at once; a running application used up the quota."""
    tune(quota={"cpu": 3, "memory": 8})
    shared.upload(project, "server.py", SERVER_SCRIPT)
    first = shared.application(project, "fits", "server.py", cpu=2, memory=4)
    shared.until(first, "APPLICATION_RUNNING")
    second = shared.application(project, "fits-not", "server.py", cpu=2)
    large, small = started("", cpu=2), started("", memory=2)
    assert shared.end_of(small) == "ENGINE_SUCCEEDED"
    assert shared.get(large)["status"] == "ENGINE_SCHEDULING"
    assert shared.get(second)["status"] == "APPLICATION_STARTING"
    (quota,) = shared.get("usersquota")["user_quota"]
    assert quota["quota_configured"] == {"cpu": "3", "memory": "8", "nvidia_gpu": ""}
    assert quota["quota_usage"] == {"cpu": "2", "memory": "4", "nvidia_gpu": "0"}
    assert quota["user"]["user_name"] == "local"
    shared.post(f"{second}:stop")
    shared.until(second, "APPLICATION_STOPPED")
    shared.delete(first)
    assert shared.end_of(large) == "ENGINE_SUCCEEDED"
    eventually(lambda: shared.get("usersquota")["user_quota"][0]["quota_usage"]["cpu"] == "0")


def test_larger_limits_let_the_waiting_in(shared: Client, tune: Tune, started: Any) -> None:
    tune(quota={"gpu": 0})
    run = started("", nvidia_gpu=1)
    time.sleep(0.2)
    assert shared.get(run)["status"] == "ENGINE_SCHEDULING"
    tune(quota={"gpu": None})
    assert shared.end_of(run) == "ENGINE_SUCCEEDED"


RETRY = {"retry_enabled": True, "max_retry": 2}


@pytest.mark.parametrize(
    ("script", "job", "ends"),
    [
        ("1/0", {**RETRY, "retry_for_script_failure": True}, ["FAILED"] * 3),
        ("1/0", {**RETRY, "retry_for_system_failure": True, "retry_for_timedout_runs": True}, ["FAILED"]),
        ("1/0", {"max_retry": 2, "retry_for_script_failure": True}, ["FAILED"]),
        (
            "import time; time.sleep(99)",
            {**RETRY, "max_retry": 1, "retry_for_timedout_runs": True, "timeout": 1, "kill_on_timeout": True},
            ["TIMEDOUT"] * 2,
        ),
        (
            "import os\nif os.path.exists('tried'): pass\nelse: open('tried', 'w'); 1/0",
            {**RETRY, "retry_for_script_failure": True, "retry_delay": 1},
            ["FAILED", "SUCCEEDED"],
        ),
    ],
)
def test_retries(shared: Client, started: Any, script: str, job: dict[str, Any], ends: list[str]) -> None:
    """cml-behaviour 7: retries are off by default; each kind of failure has a field of its own."""
    runs = started(script, {"arguments": "same", "environment": {"A": "1"}}, **job).rpartition("/")[0]

    def states() -> list[str]:
        return [run["status"].removeprefix("ENGINE_") for run in shared.get(runs, params={"sort": "id"})["job_runs"]]

    eventually(lambda: sorted(states()) == sorted(ends))
    time.sleep(0.3)
    found = shared.get(runs)["job_runs"]
    assert len(found) == len(ends)
    assert {(run["arguments"], run["environment"]) for run in found} == {("same", '{"A": "1"}')}


def test_without_kill_on_timeout_a_run_goes_on(shared: Client, started: Any) -> None:
    """cml-behaviour 7: kill_on_timeout needs timeout, and timeout alone ends nothing."""
    assert shared.end_of(started("import time; time.sleep(1.5)", timeout=1)) == "ENGINE_SUCCEEDED"


def test_usage_tells_of_runs_and_applications(shared: Client, project: str, started: Any) -> None:
    """cml-behaviour 3, 10."""
    shared.end_of(started("raise SystemExit(3)", name="a job of note", cpu=2))
    application = shared.application(project, "usage-of", "sleep 1000")
    mine = {"multi_column_search_filter": '{"project_or_workload_name": "of note"}'}
    (run,) = shared.get("usage", params=mine)["usage_response"]
    assert (run["name"], run["cpu"], run["workload_type"], run["status"]) == ("a job of note", 2, "Job", "Failed")
    assert (run["k8s_info"]["k8s_exit_code"], run["duration"].isdecimal()) == (1, True)
    assert run["project_info"]["id"] > 0
    only = {"search_filter": json.dumps({"workload_type": "Application", "name": "usage-of"})}
    found = shared.get("usage", params=only)
    assert [f"projects/{project}/applications/{each['id']}" for each in found["usage_response"]] == [application]
    assert found["total_count"] == "1"
    for text, count in (('{"created_time": {"min": "2099-01-01 00:00:00"}}', 0), ('{"created_time": {}}', 1)):
        times = {**mine, "time_range_search_filter": text}
        assert len(shared.get("usage", params=times)["usage_response"]) == count
    assert run["status"] in shared.get("workloadstatus")["workload_status"]
    assert run["workload_type"] in shared.get("workloadtypes")["workload_type"]
    for name in ("multi_column_search_filter", "time_range_search_filter"):
        assert shared.refused("GET", f"usage?{name}=no-json")[0] == 400
    assert shared.refused("GET", 'usage?time_range_search_filter={"created_time":{"min":"yesterday"}}')[0] == 400


def test_executions_are_for_another_role(shared: Client) -> None:
    """cml-behaviour 10."""
    message = "User is not an observability machine user"
    assert shared.refused("GET", "workloads/executions") == (403, message)
    assert shared.ask("GET", "workloads/executions").json()["code"] == 7
