"""What is not admissible is refused with a 4xx, never with a 5xx, and changes nothing. Sections: cml-behaviour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Client

HUGE, SURROGATE = 10**30, "\ud800" * 19
BAD_BODIES = [
    b"{",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b'{"cpu": NaN}',
    b"[" * 100_000,
    b'{"a":' * 20_000,
    json.dumps({"name": SURROGATE}).encode(),
]
BAD_VALUES: dict[str, list[Any]] = {
    "name": ["", 5, [], {}],
    "cpu": ["1", -1, True, HUGE, 1e300, []],
    "memory": [-0.5, {}],
    "nvidia_gpu": [1.5, -1, HUGE],
    "environment": ["{}", [], {"A": 1}, {"A": None}],
    "runtime_identifier": ["", "nobody/knows:it", 5],
    "runtime_addon_identifiers": ["a", [1], [None], {}],
    "accelerator_label_id": ["one", 1.5, [], -1],
    "resource_group_id": ["1", HUGE],
}
JOB_VALUES: dict[str, list[Any]] = {
    **BAD_VALUES,
    "script": ["", "no.py", "../x.py", "/etc/passwd", "a\0b", "x" * 300, "d/" * 3000, SURROGATE, 5],
    "timeout": ["60", -1, HUGE, 1.5],
    "schedule": ["soon", 5],
    "timezone": ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0b", 5],
    "parent_id": ["12", "aaaa-aaaa-aaaa-aaaa", SURROGATE, 5],
    "max_retry": [-1, "2"],
    "retry_enabled": ["true", 1],
    "recipients": ["a@b", ["a@b"], [{"email": 5}], [{"notify_on_stop": "yes"}]],
    "attachments": [[1]],
}
APPLICATION_VALUES: dict[str, list[Any]] = {
    **BAD_VALUES,
    "script": ["", 5, []],
    "subdomain": ["", "Upper", "a--b", "-a", "a.b", "a\n", "ä", "x" * 64, 5, None],
    "bypass_authentication": ["true", 1],
}
PATCH_VALUES: dict[str, list[Any]] = {
    "cpu": ["1", -1, HUGE],
    "environment": [{}, [], 5, "no json", "[]", "[" * 50_000],
    "timeout": [5, "-1", "1.5", "9" * 5000],
    "script": ["no.py", "a\0b", "x" * 300],
    "runtime_identifier": ["nobody/knows:it"],
    "schedule": ["soon"],
    "parent_id": ["12", "aaaa-aaaa-aaaa-aaaa"],
    "attachments": ["a", [1]],
}
BAD_QUERIES = [
    "search_filter=no-json",
    "search_filter=[]",
    "search_filter={%22nonsense%22:%22x%22}",
    "searchFilter=5",
    "search_filter=" + "[" * 3000,
    "page_size=ten",
    "page_token=made-up",
    "page_token=eyJmcm9tIjogLTV9",
    "page_token=eyJmcm9tIjogMWU5OTl9",
    "page_token=%C3%A4",
]


def table(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, bad in values.items() for value in bad]


def refused(client: Client, method: str, path: str, body: Any) -> None:
    """A 4xx with the gateway's body."""
    response = client.ask(method, path, data=json.dumps(body))
    assert 400 <= response.status_code < 500, (body, response.status_code, response.text)
    assert set(response.json()) == {"error", "code", "message", "details"}


def test_bodies_that_are_no_json_objects(shared: Client, project: str) -> None:
    """cml-behaviour 4."""
    for path in ("projects", f"projects/{project}/jobs", f"projects/{project}/applications", "auth/validate_key"):
        for body in BAD_BODIES:
            if path == "auth/validate_key" and b"name" in body[:9]:
                continue
            response = shared.ask(
                "POST", path, data=body, headers={"Content-Type": "application/json; charset=nonsense"}
            )
            assert response.status_code == 400, (path, body[:40], response.text)


def test_values_that_cannot_be(shared: Client, project: str) -> None:
    """cml-behaviour 2, 4, 7, 9."""
    shared.upload(project, "x.py", "")
    good = {"name": "n", "script": "x.py", "runtime_identifier": shared.runtime()}
    for name, value in table(JOB_VALUES):
        refused(shared, "POST", f"projects/{project}/jobs", good | {name: value})
    for name, value in table(APPLICATION_VALUES):
        refused(shared, "POST", f"projects/{project}/applications", {**good, "subdomain": "never", name: value})
    job = shared.job(project, "x.py")
    for name, value in table(PATCH_VALUES):
        refused(shared, "PATCH", f"projects/{project}/jobs/{job['id']}", {name: value})
    assert shared.get(f"projects/{project}/jobs")["jobs"] == [job]
    assert shared.get(f"projects/{project}/applications")["applications"] == []


@pytest.mark.parametrize(
    "path", ["projects", "projectnames", "jobs", "runtimes", "runtimeaddons", "usage", "cpuprofiles"]
)
def test_queries_that_cannot_be(shared: Client, path: str) -> None:
    """cml-behaviour 3."""
    for query in BAD_QUERIES:
        response = shared.ask("GET", f"{path}?{query}")
        assert response.status_code == 400, (query, response.text)
    for size in ("0", "-5", "100000", "9" * 40):  # never reject a large size
        assert shared.ask("GET", f"{path}?page_size={size}").status_code == 200


@pytest.mark.parametrize(
    "query", ["page_size=1&search_filter={%22name%22:%22qqq%22}", "pageSize=1&searchFilter={%22name%22:%22qqq%22}"]
)
def test_both_spellings_of_a_query(shared: Client, query: str) -> None:
    """cml-behaviour 2."""
    made = [shared.project(name=f"qqq-{number}") for number in range(2)]
    answer = shared.get(f"projects?{query}")
    assert (len(answer["projects"]), answer["next_page_token"] != "") == (1, True)
    for project in made:
        shared.delete(f"projects/{project}")


def test_booleans_of_a_query_as_python_writes_them(shared: Client) -> None:
    """cml-behaviour 2: ansible sends True."""
    for text, status in (("True", 200), ("false", 200), ("", 200), ("perhaps", 400)):
        assert shared.ask("GET", f"projects?include_public_projects={text}").status_code == status
        assert shared.ask("GET", f"projects?includeAllProjects={text}").status_code == status


def test_groups_are_asked_with_operators(shared: Client) -> None:
    """cml-behaviour 3."""
    before = shared.local("GET", "settings")
    shared.local("PATCH", "settings", {"gpus": 2})
    try:
        for wanted, names in (
            ({"gpu_count": "isnull:true"}, ["local"]),
            ({"gpu_count": "gt:0"}, ["local-gpu"]),
            ({"allow_jobs": "eq:true"}, ["local", "local-gpu"]),
            ({"allow_jobs": "eq:true", "gpu_count": "gt:1"}, ["local-gpu"]),
            ({"allow_jobs": "eq:false"}, []),
        ):
            found = shared.get("resourcegroups", params={"search_filter": json.dumps(wanted)})
            assert [group["name"] for group in found["resource_group"]] == names
        for bad in ({"gpu_count": "0"}, {"gpu_count": "gt:many"}, {"name": "eq:local"}, {"gpu_count": "like:1"}):
            assert shared.ask("GET", "resourcegroups", params={"search_filter": json.dumps(bad)}).status_code == 400
        (label,) = shared.get("nodelabels")["accelerator_node_label"]
        assert (label["id"], label["max_gpu_count"], label["availability"]) == ("1", "2", True)
    finally:
        shared.local("PATCH", "settings", before)


def test_runs_can_be_asked_for_by_their_jobs_fields(shared: Client, project: str) -> None:
    shared.upload(project, "x.py", "")
    job = shared.job(project, "x.py", name="Asked")
    runs = f"projects/{project}/jobs/{job['id']}/runs"
    run = shared.post(runs)
    for name, count in (("Ask", 1), ("ask", 0)):
        found = shared.get(runs, params={"search_filter": json.dumps({"name": name, "id": run["id"]})})["job_runs"]
        assert [set(each) == set(run) for each in found] == [True] * count


def test_a_legacy_engine_needs_a_kernel(shared: Client) -> None:
    """cml-behaviour 7."""
    project = shared.project(default_project_engine_type="legacy_engine")
    shared.upload(project, "x.py", "")
    jobs = f"projects/{project}/jobs"
    assert shared.refused("POST", jobs, {"name": "j", "script": "x.py"}) == (400, "kernel must be specified")
    assert shared.post(jobs, {"name": "j", "script": "x.py", "kernel": "python3"})["kernel"] == "python3"
    shared.delete(f"projects/{project}")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"nothing of the kind"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a/../../x"\r\n\r\nx\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n'
            b"Content-Transfer-Encoding: rot13\r\n\r\nx\r\n--b--\r\n",
        ),
        ("multipart/form-data; boundary=" + "b" * 100, b"x"),
    ],
)
def test_uploads_that_are_none(shared: Client, project: str, content_type: str, body: bytes) -> None:
    """cml-behaviour 6."""
    response = shared.ask("POST", f"projects/{project}/files", data=body, headers={"Content-Type": content_type})
    assert response.status_code == 400, response.text
    assert shared.names(project) == []
    assert list((shared.endpoint.home / "uploads").iterdir()) == []


@pytest.mark.parametrize("path", ["x" * 300, "d/" * 3000 + "x", "file/below", "loop/x", "a%00b"])
def test_paths_that_lead_nowhere(shared: Client, project: str, path: str) -> None:
    """cml-behaviour 6."""
    shared.upload(project, "file", "x")
    (shared.endpoint.home / "projects" / project / "loop").symlink_to("loop")
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", ":download")):
        assert shared.ask(method, f"projects/{project}/files/{path}{suffix}").status_code in {400, 404}
    assert shared.ask("PATCH", f"projects/{project}/files/file", json={"path": path}).status_code in {200, 400}
    response = shared.ask("POST", f"projects/{project}/files", files={path: ("x", b"x")})
    assert response.status_code in {200, 400}


def test_put_uploads_where_the_settings_say_so(shared: Client, project: str) -> None:
    """cml-behaviour 6, 11.6: shipped by a client, not in the spec."""
    files = {"a.txt": ("a.txt", b"put")}
    assert shared.ask("PUT", f"projects/{project}/files", files=files).status_code == 405
    shared.local("PATCH", "settings", {"put_upload": True})
    try:
        for _ in range(2):
            response = shared.ask("PUT", f"projects/{project}/files", files={"a.txt": ("a.txt", b"put")})
            assert (response.status_code, response.content) == (200, b"")
        assert shared.names(project) == ["a(1).txt", "a.txt"]
    finally:
        shared.local("PATCH", "settings", {"put_upload": False})


def test_the_longest_name_can_be_uploaded_twice(shared: Client, project: str) -> None:
    name = "ä" * 120 + ".tar.gz"
    for content in ("1", "2"):
        shared.upload(project, name, content)
    assert sorted(map(len, shared.names(project))) == sorted([len(name), len(name)]) or len(shared.names(project)) == 2
