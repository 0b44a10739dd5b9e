"""A journey through every operation of the contract; each answer is held against its schema, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.workspace import DOCUMENT, OPERATIONS, RUN_ENDS, Checked, eventually, operation_of

APPLICATION = """
import http.server, os
http.server.HTTPServer(("127.0.0.1", int(os.environ["CDSW_APP_PORT"])), http.server.SimpleHTTPRequestHandler) \\
    .serve_forever()
"""
REFUSED_TO_ORDINARY_KEYS = {"ListWorkloadExecutions"}


@pytest.fixture(scope="module")
def journey(client: Checked, runtime: str) -> Checked:
    """Every operation at least once, then everything that one of them can be refused for."""
    client.good("POST", "auth/validate_key", json={"audience": "API"})
    project = _project(client)
    home = f"projects/{project}"
    _files(client, home)
    job = _job(client, home, runtime)
    _application(client, home, runtime)
    for path in ("jobs", "runtimes", "runtimeaddons", "nodelabels", "resourcegroups", "cpuprofiles"):
        client.good("GET", path)
    for path in ("usage", "workloadstatus", "workloadtypes", "usersquota", "workloads/executions"):
        client.send("GET", path)
    _refusals(client, home, job)
    client.good("DELETE", f"{home}/jobs/{job}")
    client.good("DELETE", home)
    return client


def _project(client: Checked) -> str:
    project = client.good("POST", "projects", json={"name": "journey", "template": "local", "environment": {"A": "1"}})
    home = f"projects/{project['id']}"
    eventually(lambda: client.good("GET", home)["creation_status"] == "success")
    client.good("PATCH", home, json={"description": "changed", "environment": json.dumps({"B": "2"})})
    client.good("GET", "projects")
    client.good("GET", "projectnames")
    client.good("GET", "projects/batch", params={"project_ids": [project["id"]]})
    identifier: str = project["id"]
    return identifier


def _files(client: Checked, home: str) -> None:
    client.good("POST", f"{home}/files", files={"app.py": APPLICATION, "job.py": "print('done')", "dir/one.txt": "1"})
    client.good("GET", f"{home}/files/")
    client.good("GET", f"{home}/files/dir%2Fone.txt")
    assert client.good("POST", f"{home}/files/dir%2Fone.txt:download").content == b"1"
    client.good("PATCH", f"{home}/files/dir/one.txt", json={"path": "dir/two.txt"})
    client.good("DELETE", f"{home}/files/dir")


def _job(client: Checked, home: str, runtime: str) -> str:
    body = {"name": "job", "script": "job.py", "runtime_identifier": runtime, "environment": {"C": "3"}}
    recipient = {"email": "a@example.com", "notify_on_failure": True}
    job = client.good("POST", f"{home}/jobs", json={**body, "recipients": [recipient], "timeout": 600})["id"]
    client.good("PATCH", f"{home}/jobs/{job}", json={"arguments": "--fast", "timeout": "700"})
    client.good("GET", f"{home}/jobs/{job}")
    client.good("GET", f"{home}/jobs")
    runs = f"{home}/jobs/{job}/runs"
    run = client.good("POST", runs, json={"arguments": "x", "environment": {"D": "4"}})["id"]
    eventually(lambda: client.good("GET", f"{runs}/{run}")["status"] in RUN_ENDS)
    client.good("GET", runs)
    client.good("POST", f"{runs}/{client.good('POST', runs)['id']}:stop")
    assert isinstance(job, str)
    return job


def _application(client: Checked, home: str, runtime: str) -> None:
    body = {"name": "app", "subdomain": "journey", "script": "app.py", "runtime_identifier": runtime}
    application = client.good("POST", f"{home}/applications", json=body)["id"]
    one = f"{home}/applications/{application}"
    eventually(lambda: client.good("GET", one)["status"] == "APPLICATION_RUNNING")
    client.good("GET", f"{home}/applications")
    client.good("PATCH", one, json={"description": "changed", "cpu": 2})
    client.good("POST", f"{one}:stop")
    eventually(lambda: client.good("GET", one)["status"] == "APPLICATION_STOPPED")
    client.good("POST", f"{one}:restart")
    client.good("DELETE", one)


def _refusals(client: Checked, home: str, job: str) -> None:
    """Answers of each kind of failure, wherever it can happen."""
    for method, path, body in (
        ("GET", "projects/aaaa-bbbb-cccc-dddd", None),
        ("GET", f"{home}/jobs/7", None),
        ("GET", f"{home}/jobs/aaaa-bbbb-cccc-dddd", None),
        ("POST", f"{home}/jobs", {}),
        ("POST", f"{home}/jobs", {"name": 1}),
        ("PATCH", f"{home}/jobs/{job}", {"environment": {}}),
        ("PATCH", f"{home}/jobs/{job}", {"runtime_addon_identifiers": []}),
        ("GET", f"{home}/jobs/{job}/runs/none", None),
        ("POST", f"{home}/jobs/{job}/runs/none:stop", None),
        ("POST", f"{home}/applications", {"name": "x", "script": "app.py", "subdomain": "No_Label"}),
        ("GET", f"{home}/applications/none", None),
        ("POST", "auth/validate_key", {"audience": "Application"}),
        ("GET", "projects?search_filter=nonsense", None),
        ("GET", "projects?page_size=nonsense", None),
    ):
        answer = client.send(method, path, json=body)
        assert answer.status_code >= 400, f"{method} {path} was not refused"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_was_carried_out(journey: Checked, name: str) -> None:
    expected = 403 if name in REFUSED_TO_ORDINARY_KEYS else 200
    assert expected in journey.seen.get(name, [])


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_answer_fits_its_schema_and_holds_every_field(journey: Checked, name: str) -> None:
    assert journey.seen.get(name), "was never asked"
    assert [told for told in journey.wrong if told.split()[0] == name] == []


def _lists() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, {one["name"]: one for one in stated["parameters"] if "name" in one})
        for name, (method, _, stated) in sorted(OPERATIONS.items())
        if method == "get" and any(one.get("name") == "search_filter" for one in stated.get("parameters", []))
        if name not in REFUSED_TO_ORDINARY_KEYS
    ]


@pytest.fixture(scope="module")
def path_of(client: Checked, runtime: str) -> Any:
    """Where each list is, in a project with a job."""
    project = client.good("POST", "projects", json={"name": "lists", "template": "local"})["id"]
    eventually(lambda: client.good("GET", f"projects/{project}")["creation_status"] == "success")
    client.good("POST", f"projects/{project}/files", files={"job.py": "print()"})
    body = {"name": "job", "script": "job.py", "runtime_identifier": runtime}
    job = client.good("POST", f"projects/{project}/jobs", json=body)["id"]

    def path(name: str) -> str:
        return str(OPERATIONS[name][1]).removeprefix("/api/v2/").format(project_id=project, job_id=job)

    return path


@pytest.mark.parametrize(("name", "parameters"), _lists(), ids=[name for name, _ in _lists()])
def test_lists_take_every_filter_key_sort_key_and_both_spellings(
    client: Checked, path_of: Any, name: str, parameters: dict[str, Any]
) -> None:
    path, refused = path_of(name), []
    for key in parameters["search_filter"].get("x-filter-keys", []):
        value = parameters["search_filter"].get("x-filter-values", {}).get(key, ["zzz"])[0]
        query = {"search_filter": json.dumps({key: value}), "page_size": 100000}
        if client.send("GET", path, params=query).status_code != 200:
            refused.append(f"filter {key}")
    for key in parameters.get("sort", {}).get("x-sort-keys", []):
        refused += [
            f"sort {sign}{key}"
            for sign in ("", "-", "+")
            if client.send("GET", path, params={"sort": f"{sign}{key}"}).status_code != 200
        ]
    for aliases in ({"searchFilter": "{}", "pageSize": "1", "pageToken": ""}, {"page_token": ""}):
        if client.send("GET", path, params=aliases).status_code != 200:
            refused.append(f"spelling {aliases}")
    assert refused == []


@pytest.mark.parametrize(("name", "parameters"), _lists(), ids=[name for name, _ in _lists()])
def test_a_filter_that_nothing_fits_leaves_nothing(
    client: Checked, path_of: Any, name: str, parameters: dict[str, Any]
) -> None:
    keys = [key for key in parameters["search_filter"].get("x-filter-keys", []) if key in {"name", "identifier", "id"}]
    for key in keys:
        page = client.good("GET", path_of(name), params={"search_filter": json.dumps({key: "matched by nothing"})})
        listed = [value for value in page.values() if isinstance(value, list)]
        assert listed == [[]], f"{name} by {key}"


def test_the_checks_see_what_is_wrong() -> None:
    """The check of the checks: a wrong type, a lacking field, an unknown one, a number where int64 is text."""
    from tests.contract.workspace import missing_fields, violations

    _, _, stated = OPERATIONS["GetJob"]
    assert violations(stated, 200, {"timeout": 5})
    assert violations(stated, 200, {"timeout": "soon"})
    assert violations(stated, 200, {"created_at": "yesterday"})
    assert violations(stated, 404, {"code": "5"})
    assert not violations(stated, 200, {"timeout": "5", "created_at": None})
    schema = DOCUMENT["components"]["schemas"]["ShortUser"]
    assert missing_fields(schema, {"name": "", "email": "", "id": 1}) == [
        "$.username is missing",
        "$.id is not in the contract",
    ]
    assert operation_of("POST", "/api/v2/projects/a/jobs/b/runs/c:stop") == "StopJobRun"
