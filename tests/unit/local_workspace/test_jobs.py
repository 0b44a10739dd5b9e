"""Jobs and runs: notebook semantics, environments, states, and the quirks of the real service."""

from __future__ import annotations

import json

import pytest

from .conftest import Client, environment_of, eventually

FIELDS = (
    "id cpu created_at creator engine_image_id english_schedule arguments type kernel memory name parent_id paused"
    " schedule script timeout timezone updated_at environment nvidia_gpu runtime_identifier"
    " runtime_addon_identifiers kill_on_timeout project owner run_as accelerator_label_id retry_enabled max_retry"
    " retry_delay retry_for_script_failure retry_for_system_failure retry_for_timedout_runs retry_for_skipped_runs"
    " recipients attachments success_recipients failure_recipients timeout_recipients stopped_recipients"
    " resource_group_id resource_profile_id"
)
RUN_FIELDS = (
    "project_id job_id status id created_at scheduling_at starting_at running_at finished_at kernel cpu memory"
    " nvidia_gpu arguments environment creator runtime_identifier resource_group_id"
)
TELL = """
import json, os, sys
with open("told.json", "w") as file:
    json.dump({"env": dict(os.environ), "argv": sys.argv, "path": sys.path[0], "cwd": os.getcwd(),
               "name": __name__, "file": "__file__" in globals(), "prefix": sys.prefix,
               "main": sys.modules["__main__"].__dict__ is globals()}, file)
"""


def test_a_job_has_every_field(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "")
    job = shared.job(project, "x.py", environment={"A": "1"}, timeout=60, recipients=[{"email": "a@b", "no": 1}])
    events = dict.fromkeys((f"notify_on_{event}" for event in ("success", "failure", "timeout", "stop")), False)
    assert job["recipients"] == [{"email": "a@b", **events}]
    assert set(job) == set(FIELDS.split())
    assert (job["timeout"], job["type"], job["environment"]) == ("60", "manual", '{"A": "1"}')
    assert (job["timezone"], job["paused"], job["kernel"]) == ("America/Los_Angeles", False, "")
    assert any(addon.startswith("hadoop-cli") for addon in job["runtime_addon_identifiers"])
    assert shared.get(f"projects/{project}/jobs/{job['id']}") == job
    assert [each["id"] for each in shared.get(f"projects/{project}/jobs")["jobs"]] == [job["id"]]
    assert job["id"] in [each["id"] for each in shared.get("jobs", params={"page_size": 1000})["jobs"]]
    run = shared.post(f"projects/{project}/jobs/{job['id']}/runs")
    assert set(run) == set(RUN_FIELDS.split())
    assert run["status"] == "ENGINE_SCHEDULING"


def test_what_a_job_must_have(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "")
    good = {"name": "j", "script": "x.py", "runtime_identifier": shared.runtime()}
    jobs = f"projects/{project}/jobs"
    for change, message in (
        ({"script": "no.py"}, "script 'no.py' not found in project directory"),
        ({"runtime_identifier": ""}, "runtime image must be specified"),
        ({"kernel": "python3"}, "kernel cannot"),
        ({"schedule": "* * * * *", "parent_id": "aaaa-aaaa-aaaa-aaaa"}, "schedule"),
        ({"environment": "{}"}, "environment"),
        ({"timeout": "60"}, "timeout"),
        ({"script": "../x.py"}, "not a path below"),
        ({"name": ""}, "Name"),
    ):
        status, told = shared.refused("POST", jobs, good | change)
        assert (status, message in told) == (400, True), (change, told)
    assert shared.get(jobs)["jobs"] == []
    message = "Problem with field JobId: value length must be 19 runes"
    for method, path in (("GET", f"{jobs}/12"), ("PATCH", f"{jobs}/12"), ("POST", f"{jobs}/12/runs")):
        assert shared.refused(method, path, {}) == (400, message)
    assert shared.refused("GET", f"{jobs}/aaaa-aaaa-aaaa-aaaa")[0] == 404


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("print('fine')", "ENGINE_SUCCEEDED"),
        ("raise ValueError('no')", "ENGINE_FAILED"),
        ("import sys; sys.exit(0)", "ENGINE_FAILED"),
        ("import sys; sys.exit(3)", "ENGINE_FAILED"),
        ("import os; os._exit(4)", "ENGINE_FAILED"),
        ("print(__file__)", "ENGINE_FAILED"),
        ("not python at all", "ENGINE_FAILED"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "ENGINE_FAILED"),
    ],
)
def test_how_a_script_ends_is_how_the_run_ends(shared: Client, project: str, script: str, end: str) -> None:
    shared.upload(project, "x.py", script)
    assert shared.run(project, "x.py") == end


def test_a_script_finds_itself_in_a_kernel_with_a_built_environment(
    shared: Client, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_FOR_WORKLOADS", "x")
    shared.upload(project, "sub/tell.py", TELL)
    shared.patch(f"projects/{project}", {"environment": json.dumps({"A": "project", "B": "project", "C": "p"})})
    body = {"arguments": "--one 'two three'", "environment": {"A": "run"}}
    assert shared.run(project, "sub/tell.py", body, environment={"A": "job", "B": "job"}) == "ENGINE_SUCCEEDED"
    told = json.loads(shared.download(project, "told.json"))
    root = str(shared.endpoint.home / "projects" / project)
    env = told["env"]
    assert told["argv"][1] == "-f"
    assert told["argv"][2].endswith(".json")
    assert (told["path"], told["cwd"], told["name"], told["file"], told["main"]) == (
        root,
        root,
        "__main__",
        False,
        True,
    )
    assert (env["A"], env["B"], env["C"]) == ("run", "job", "p")
    assert env["JOB_ARGUMENTS"] == "--one 'two three'"
    assert (env["HOME"], env["CDSW_PROJECT_ID"]) == (root, project)
    assert env["CDSW_APIV2_KEY"] == shared.endpoint.api_key
    assert f"http://{env['CDSW_DOMAIN']}" == shared.endpoint.host
    assert env["CDSW_API_URL"] == f"{shared.endpoint.host}/api/v1"
    assert "NOT_FOR_WORKLOADS" not in env
    assert "VIRTUAL_ENV" not in env
    assert told["prefix"] != str(shared.endpoint.home)
    assert env["TMPDIR"].startswith("/tmp/cai-")
    assert len(env["TMPDIR"]) == len("/tmp/cai-") + 8


def test_the_tools_of_a_workload_are_the_runtimes(shared: Client, project: str) -> None:
    script = """
import subprocess, sys
for program in ("python", "python3"):
    out = subprocess.run([program, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == sys.prefix, out.stdout
assert subprocess.run(["uv", "--version"], capture_output=True, check=True).stdout.startswith(b"uv ")
try:
    import aiohttp
except ImportError:
    pass
else:
    assert "dist-packages" in aiohttp.__file__ or "site-packages" in aiohttp.__file__
"""
    shared.upload(project, "x.py", script)
    assert shared.run(project, "x.py") == "ENGINE_SUCCEEDED"


def test_arguments_and_environment_of_a_run_are_echoed_and_leave_the_job_alone(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "")
    job = shared.job(project, "x.py", arguments="of the job")
    runs = f"projects/{project}/jobs/{job['id']}/runs"
    run = shared.post(runs, {"arguments": "mine", "environment": {"A": "1"}})
    assert (run["arguments"], environment_of(run)) == ("mine", {"A": "1"})
    assert shared.get(f"projects/{project}/jobs/{job['id']}") == job
    assert shared.post(runs, {})["arguments"] == "of the job"
    assert shared.refused("POST", runs, {"environment": "{}"})[0] == 400


def test_a_child_runs_after_its_parent_succeeds_and_only_then(shared: Client, project: str) -> None:
    shared.upload(project, "parent.py", "import os\nif not os.path.exists('go'): raise SystemExit(1)")
    shared.upload(project, "child.py", "open('child-ran', 'w')")
    parent = shared.job(project, "parent.py")
    child = shared.job(project, "child.py", parent_job_id=parent["id"])
    assert (child["type"], child["parent_id"]) == ("dependent", parent["id"])
    jobs = f"projects/{project}/jobs"
    run = shared.post(f"{jobs}/{parent['id']}/runs", {})
    assert shared.end_of(f"{jobs}/{parent['id']}/runs/{run['id']}") == "ENGINE_FAILED"
    assert shared.get(f"{jobs}/{child['id']}/runs")["job_runs"] == []
    shared.upload(project, "go", "")
    shared.post(f"{jobs}/{parent['id']}/runs", {})
    found = eventually(lambda: shared.get(f"{jobs}/{child['id']}/runs")["job_runs"])
    assert shared.end_of(f"{jobs}/{child['id']}/runs/{found[0]['id']}") == "ENGINE_SUCCEEDED"
    assert "child-ran" in shared.names(project)
    only = shared.get(f"{jobs}/{parent['id']}/runs", params={"search_filter": '{"status": "failed"}'})
    assert [each["id"] for each in only["job_runs"]] == [run["id"]]
    assert shared.refused("PATCH", f"{jobs}/{parent['id']}", {"parent_id": child["id"]})[0] == 400


def test_a_run_can_be_stopped_with_all_that_it_started(shared: Client, project: str) -> None:
    shared.upload(
        project,
        "x.py",
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "open('pid', 'w').write(str(child.pid))\ntime.sleep(1000)",
    )
    job = shared.job(project, "x.py")
    runs = f"projects/{project}/jobs/{job['id']}/runs"
    run = f"{runs}/{shared.post(runs)['id']}"
    eventually(lambda: "pid" in shared.names(project) and shared.download(project, "pid"))
    assert shared.get(run)["status"] == "ENGINE_RUNNING"
    assert shared.post(f"{run}:stop")["status"] == "ENGINE_STOPPING"
    assert shared.end_of(run) == "ENGINE_STOPPED"
    pid = shared.download(project, "pid").decode()
    assert not _lives(pid)
    assert shared.post(f"{run}:stop")["status"] == "ENGINE_STOPPED"
    assert shared.get(run)["finished_at"] is not None


def test_a_run_out_of_time_is_ended(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "import time; time.sleep(1000)")
    assert shared.run(project, "x.py", timeout=1, kill_on_timeout=True) == "ENGINE_TIMEDOUT"


def test_scratch_goes_with_the_run(shared: Client, project: str) -> None:
    from pathlib import Path

    shared.upload(project, "x.py", "import os, tempfile; open('where', 'w').write(tempfile.mkdtemp())")
    assert shared.run(project, "x.py") == "ENGINE_SUCCEEDED"
    where = Path(shared.download(project, "where").decode())
    assert where.parent.name.startswith("cai-")
    assert not where.parent.exists()


def test_what_a_patch_of_a_job_does(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "")
    job = shared.job(project, "x.py", arguments="a", environment={"A": "1"}, timeout=5)
    path = f"projects/{project}/jobs/{job['id']}"
    ignored = {"paused": True, "timezone": "UTC", "success_recipients": "x", "recipients": [{}], "created_at": "y"}
    assert {**shared.patch(path, ignored), "updated_at": ""} == {**job, "updated_at": ""}
    assert shared.patch(path, {})["updated_at"] > job["updated_at"]
    assert shared.patch(path, {"environment": ""})["environment"] == '{"A": "1"}'
    assert shared.patch(path, {"environment": '{"B": "2"}'})["environment"] == '{"B": "2"}'
    assert shared.patch(path, {"environment": "{}"})["environment"] == ""
    assert shared.patch(path, {"arguments": ""})["arguments"] == ""
    assert shared.patch(path, {"timeout": "0"})["timeout"] == "0"
    assert shared.patch(path, {"schedule": "0 * * * *"})["type"] == "cron"
    assert shared.patch(path, {"schedule": ""})["type"] == "manual"
    assert shared.patch(path, {"kernel": "python3"})["kernel"] == "python3"
    assert shared.patch(path, {"runtime_identifier": shared.runtime(), "runtime_addon_identifiers": []})[
        "runtime_addon_identifiers"
    ]
    message = "cannot unmarshal object into Go value of type string"
    assert shared.refused("PATCH", path, {"environment": {}}) == (400, message)
    assert shared.refused("PATCH", path, {"timeout": 5})[0] == 400
    assert shared.refused("PATCH", path, {"script": "no.py"})[0] == 400
    message = "failed to fetch existing runtime for job"
    assert shared.refused("PATCH", path, {"runtime_addon_identifiers": ["a"]}) == (500, message)


def test_a_deleted_job_takes_its_runs_along(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(1000)")
    job = shared.job(project, "x.py")
    path = f"projects/{project}/jobs/{job['id']}"
    shared.post(f"{path}/runs")
    pid = eventually(lambda: "pid" in shared.names(project) and shared.download(project, "pid").decode())
    shared.delete(path)
    assert not _lives(pid)
    assert shared.refused("GET", path)[0] == 404


def _lives(pid: str) -> bool:
    from pathlib import Path

    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
