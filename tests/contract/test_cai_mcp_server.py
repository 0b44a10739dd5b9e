"""The package cai-mcp-server, which nobody here wrote, does its work against the workspace, unmodified.

Its three servers run as it ships them. What they claim is checked against the workspace itself, asked over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.contract.mcp import Session, ToolFailed
from tests.contract.workspace import RUN_ENDS, Checked, eventually

pytest.importorskip("cai_mcp_server", reason="needs Python 3.11 or later")

PROJECT = "mcp project"
APPLICATION = """
import http.server, os
http.server.HTTPServer(("127.0.0.1", int(os.environ["CDSW_APP_PORT"])), http.server.SimpleHTTPRequestHandler) \\
    .serve_forever()
"""
LONG_JOB = "import time\nwhile True:\n    time.sleep(0.1)\n"


@pytest.fixture(scope="module")
def home(client: Checked, runtime: str) -> str:
    """A project with jobs that succeed, fail and last, and with an application that runs."""
    project = client.good("POST", "projects", json={"name": PROJECT, "template": "local", "environment": {"A": "1"}})
    home = f"projects/{project['id']}"
    eventually(lambda: client.good("GET", home)["creation_status"] == "success")
    scripts = {"good.py": "print('done')", "bad.py": "raise SystemExit(3)", "long.py": LONG_JOB, "app.py": APPLICATION}
    client.good("POST", f"{home}/files", files=scripts)
    for name in ("good", "bad", "long"):
        body = {"name": name, "script": f"{name}.py", "runtime_identifier": runtime}
        client.good("POST", f"{home}/jobs", json=body)
    body = {"name": "site", "subdomain": "site", "script": "app.py", "runtime_identifier": runtime}
    application = client.good("POST", f"{home}/applications", json=body)["id"]
    eventually(lambda: client.good("GET", f"{home}/applications/{application}")["status"] == "APPLICATION_RUNNING")
    return home


@pytest.fixture(scope="module")
def server(client: Checked) -> Iterator[Callable[[str], Session]]:
    """One session with each of the package's servers, started when first asked for."""
    allowed = ",".join(f"{PROJECT}/{name}" for name in ("good", "bad", "long"))
    environment = {
        "CAI_BASE_URL": client.endpoint.host,
        "CAI_API_KEY": client.endpoint.api_key,
        "CAI_ENABLE_JOB_RUNS": "true",
        "CAI_ALLOWED_JOBS": allowed,
    }
    running: dict[str, Session] = {}
    with ExitStack() as stack:

        def session(component: str) -> Session:
            if component not in running:
                running[component] = stack.enter_context(Session(f"cai_mcp_server.{component}_server", environment))
            return running[component]

        yield session


Server = Callable[[str], Session]


def _job(client: Checked, home: str, name: str) -> str:
    return next(f"{home}/jobs/{job['id']}" for job in client.good("GET", f"{home}/jobs")["jobs"] if job["name"] == name)


def _ended(client: Checked, home: str, name: str) -> str:
    """The status with which the newest run of a job has ended."""

    def newest() -> str:
        runs = client.good("GET", f"{_job(client, home, name)}/runs", params={"sort": "-created_at"})["job_runs"]
        return str(runs[0]["status"]) if runs[0]["status"] in RUN_ENDS else ""

    return str(eventually(newest))


def _site(client: Checked, home: str) -> dict[str, Any]:
    application: dict[str, Any] = client.good("GET", f"{home}/applications")["applications"][0]
    return application


def test_runs_a_job_and_tells_its_history(client: Checked, home: str, server: Server) -> None:
    assert server("operations").call("run_job", job_name="good", project_name=PROJECT)["started"]
    assert _ended(client, home, "good") == "ENGINE_SUCCEEDED"
    told = server("insights").call("get_job_status", job_name="good", project_name=PROJECT)
    assert told["latest_run"]["status"] == "succeeded"
    assert told["latest_run"]["duration_seconds"] >= 0
    assert server("insights").call("get_job_run_history", job_name="good", project_name=PROJECT)["count"] == 1


def test_runs_a_failed_job_again(client: Checked, home: str, server: Server) -> None:
    server("operations").call("run_job", job_name="bad", project_name=PROJECT)
    assert _ended(client, home, "bad") == "ENGINE_FAILED"
    told = server("operations").call("rerun_failed_job", job_name="bad", project_name=PROJECT, confirm=True)
    assert told["started"]
    assert len(client.good("GET", f"{_job(client, home, 'bad')}/runs")["job_runs"]) == 2
    assert _ended(client, home, "bad") == "ENGINE_FAILED"


def test_stops_the_run_of_a_job(client: Checked, home: str, server: Server) -> None:
    server("operations").call("run_job", job_name="long", project_name=PROJECT)
    assert server("operations").call("stop_job_run", job_name="long", project_name=PROJECT)["stopped"]
    assert _ended(client, home, "long") == "ENGINE_STOPPED"


def test_changes_the_schedule_of_a_job(client: Checked, home: str, server: Server) -> None:
    server("operations").call("update_job", job_name="long", project_name=PROJECT, schedule="0 3 1 1 *", confirm=True)
    assert client.good("GET", _job(client, home, "long"))["type"] == "cron"
    told = server("insights").call("get_job_details", job_name="long", project_name=PROJECT)
    assert told["settings"]["schedule"] == "0 3 1 1 *"


def test_changes_stops_and_restarts_an_application(client: Checked, home: str, server: Server) -> None:
    named = {"project_name": PROJECT, "application_name": "site"}
    changes = {"description": "by hand", "cpu": 2}
    told = server("operations").call(
        "update_application", **named, fields_to_update=["description", "cpu"], changes=changes, confirm=True
    )
    assert told["requested_update_verified"]
    assert _site(client, home)["description"] == "by hand"
    assert server("operations").call("stop_application", **named, confirm=True)["stopped"]
    eventually(lambda: _site(client, home)["status"] == "APPLICATION_STOPPED")
    assert server("operations").call("restart_application", **named, confirm=True)["restarted"]
    eventually(lambda: _site(client, home)["status"] == "APPLICATION_RUNNING")
    listed = server("insights").call("list_applications", project_name=PROJECT, status="running")
    assert [one["name"] for one in listed["applications"]] == ["site"]
    assert server("insights").call("get_application_details", **named)["application"]["subdomain"] == "site"


def test_reads_and_changes_a_project(client: Checked, home: str, server: Server) -> None:
    told = server("admin").call("get_project_details", project_name=PROJECT)["project"]
    assert (told["engine_type"], told["environment_keys"]) == ("ML Runtime", ["A"])
    changes = {"description": "changed", "set_environment": [{"name": "B", "value": "2"}]}
    server("admin").call(
        "update_project", project_name=PROJECT, fields_to_update=[*changes], changes=changes, confirm=True
    )
    assert client.good("GET", home)["description"] == "changed"
    told = server("admin").call("get_project_details", project_name=PROJECT)["project"]
    assert told["environment_keys"] == ["A", "B"]


def test_finds_runtimes_through_all_pages(client: Checked, server: Server) -> None:
    told = server("admin").call("search_runtime_catalog", query="python", max_results=100)
    offered = client.good("GET", "runtimes", params={"page_size": 1000})["runtimes"]
    assert told["count"] == len(offered) > 0


def test_reads_usage_and_quota(home: str, server: Server) -> None:
    running = server("insights").call("get_current_resource_usage", project_name=PROJECT)
    assert [one["name"] for one in running["top_workloads"]] == ["site"]
    assert running["resource_totals"]["cpu_cores"] > 0
    server("operations").call("run_job", job_name="good", project_name=PROJECT)
    past = server("insights").call("search_workload_history", query="good", project_name=PROJECT, lookback_hours=2)
    assert past["count"] >= 1
    assert {one["name"] for one in past["records"]} == {"good"}
    latest = server("insights").call("find_latest_workload_statuses", project_name=PROJECT)
    assert {"good", "site"} <= {one["name"] for one in latest["workloads"]}
    assert server("insights").call("get_workbench_overview")["current_running_summary"]["count"] >= 1
    assert server("admin").call("list_users_quota")["users"][0]["username"] == "local"


def test_a_wrong_key_is_told_as_such(client: Checked) -> None:
    environment = {"CAI_BASE_URL": client.endpoint.host, "CAI_API_KEY": "wrong"}
    with Session("cai_mcp_server.admin_server", environment) as session, pytest.raises(ToolFailed):
        session.call("list_users_quota")
