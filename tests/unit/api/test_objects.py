"""Paging, exact names, environments, and the order of requests for each kind of object."""

from __future__ import annotations

import json

import pytest
import requests
from responses import matchers

from cai_deploy.api import paging
from cai_deploy.api.errors import AccessRefused, EndlessList, NotFound, UnreadableAnswer
from cai_deploy.api.schemas import (
    Application,
    ApplicationStatus,
    CreateApplicationRequest,
    CreateProjectRequest,
    EngineStatus,
    FileInfo,
    Job,
    JobRun,
    Project,
    Runtime,
)
from cai_deploy.errors import ConfigError


def sent(server):
    return [(call.request.method, call.request.path_url.removeprefix("/api/v2/")) for call in server.calls]


def test_all_pages_are_read_with_the_same_size(server, client, api):
    size = {"page_size": "1000"}
    pages = [
        (size, ["a"], "t1"),
        ({**size, "page_token": "t1"}, ["b"], "t2"),
        ({**size, "page_token": "t2"}, ["c"], ""),
    ]
    for query, images, token in pages:
        server.get(
            f"{api}/runtimes",
            json={"runtimes": [{"image_identifier": image} for image in images], "next_page_token": token},
            match=[matchers.query_param_matcher(query)],
        )
    assert [runtime.image_identifier for runtime in client.runtimes.list()] == ["a", "b", "c"]


def test_a_token_that_comes_twice_ends_with_an_error(server, client, api):
    server.get(f"{api}/runtimes", json={"runtimes": [], "next_page_token": "again"})
    with pytest.raises(EndlessList, match="twice"):
        client.runtimes.list()
    assert len(server.calls) == 2


def test_pages_without_end_end_with_an_error(server, client, api, monkeypatch):
    monkeypatch.setattr(paging, "MOST_PAGES", 3)
    for number in range(4):
        server.get(f"{api}/runtimes", json={"next_page_token": f"t{number}"})
    with pytest.raises(EndlessList, match="more than 3"):
        client.runtimes.list()
    assert len(server.calls) == 3


@pytest.mark.parametrize("page", [{}, {"projects": None}, {"projects": [], "next_page_token": None}])
def test_a_missing_list_is_an_empty_one(server, client, api, page):
    server.get(f"{api}/projects", json=page)
    assert client.projects.list() == []


def test_a_list_that_is_none_is_an_error(server, client, api):
    server.get(f"{api}/projects", json={"projects": "x"})
    with pytest.raises(UnreadableAnswer, match="projects"):
        client.projects.list()


@pytest.mark.parametrize(
    ("kind", "path", "key"),
    [
        ("projects", "projects", "projects"),
        ("jobs", "projects/p/jobs", "jobs"),
        ("applications", "projects/p/applications", "applications"),
    ],
)
def test_names_are_compared_exactly(server, client, api, kind, path, key):
    found = [{"id": "1", "name": "ray-old"}, {"id": "2", "name": "ray"}]
    narrowed = {"search_filter": json.dumps({"name": "ray"}), "page_size": "1000"}
    server.get(f"{api}/{path}", json={key: found}, match=[matchers.query_param_matcher(narrowed)])
    within = () if kind == "projects" else ("p",)
    assert getattr(client, kind).find(*within, "ray").id == "2"
    found.pop()
    server.replace("GET", f"{api}/{path}", json={key: found})
    assert getattr(client, kind).find(*within, "ray") is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('{"A": "1", "B": 2}', {"A": "1", "B": "2"}),
        ({"A": "1"}, {"A": "1"}),
        ("", {}),
        (None, {}),
        ("no json", {}),
        ("[1]", {}),
    ],
)
def test_environments_are_read_in_every_form(told, expected):
    assert Application.read({"environment": told}).environment == expected


def test_an_environment_goes_out_as_an_object_and_into_a_patch_as_text(server, client, api):
    server.post(f"{api}/projects/p/applications", json={"id": "a"})
    server.patch(f"{api}/projects/p/applications/a", json={"id": "a"})
    client.applications.create(
        CreateApplicationRequest(project_id="p", name="n", subdomain="s", script="x.py", environment={"A": "1"})
    )
    client.applications.update("p", "a", environment={"B": "2"}, cpu=2)
    created, updated = (json.loads(call.request.body) for call in server.calls)
    assert created == {"project_id": "p", "name": "n", "subdomain": "s", "script": "x.py", "environment": {"A": "1"}}
    assert updated == {"environment": '{"B": "2"}', "cpu": 2}


@pytest.mark.parametrize("kind", [Project, Job, JobRun, Application])
def test_environments_are_in_no_repr(kind):
    told = kind.read({"environment": '{"CML_USER_PW": "hidden"}'})
    assert told.environment == {"CML_USER_PW": "hidden"}
    assert "hidden" not in f"{told!r} {told}"


def test_environments_of_requests_are_in_no_repr():
    request = CreateApplicationRequest(project_id="p", name="n", subdomain="s", script="x", environment={"A": "hidden"})
    assert "hidden" not in f"{request!r} {request}"


def test_numbers_may_be_text_and_unknown_fields_may_come():
    assert Job.read({"timeout": "3600", "nvidia_gpu": "", "cpu": "2", "new": 1}).timeout == 3600
    assert FileInfo.read({"file_size": "9007199254740993"}).file_size == 9007199254740993
    assert Job.read({"timeout": None, "name": None}) == Job()


def test_an_object_that_cannot_be_read_names_its_field_but_not_its_content():
    with pytest.raises(UnreadableAnswer, match="timeout") as caught:
        Job.read({"timeout": "hidden"})
    assert "hidden" not in str(caught.value)


def test_status_words_that_nobody_knows_are_kept_and_read_as_unknown():
    assert JobRun.read({"status": "ENGINE_DREAMING"}).status == "ENGINE_DREAMING"
    assert JobRun.read({"status": "ENGINE_DREAMING"}).known_status is EngineStatus.UNKNOWN
    assert Application.read({"status": "APPLICATION_RUNNING"}).known_status is ApplicationStatus.RUNNING
    assert Application.read({}).known_status is ApplicationStatus.UNKNOWN


def test_a_runtime_knows_its_python():
    assert Runtime(kernel="Python 3.11").python_version == "3.11"
    assert Runtime(kernel="R 4.3").python_version is None


def test_runs_come_newest_first_and_only_as_many_as_wanted(server, client, api):
    query = {"sort": "-created_at", "page_size": "2"}
    server.get(
        f"{api}/projects/p/jobs/j/runs",
        json={"job_runs": [{"id": "2"}, {"id": "1"}], "next_page_token": "more"},
        match=[matchers.query_param_matcher(query)],
    )
    assert [run.id for run in client.jobs.list_runs("p", "j", limit=2)] == ["2", "1"]
    assert len(server.calls) == 1


def test_actions_are_posts_without_a_body(server, client, api):
    server.post(f"{api}/projects/p/applications/a:stop", json={"status": "APPLICATION_STOPPING"})
    server.post(f"{api}/projects/p/applications/a:restart", json={"status": "APPLICATION_STARTING"})
    server.post(f"{api}/projects/p/jobs/j/runs/r:stop", json={"status": "ENGINE_STOPPING"})
    assert client.applications.stop("p", "a").known_status is ApplicationStatus.STOPPING
    assert client.applications.restart("p", "a").known_status is ApplicationStatus.STARTING
    assert client.jobs.stop_run("p", "j", "r").known_status is EngineStatus.STOPPING
    assert [call.request.body for call in server.calls] == [None, None, None]


@pytest.mark.parametrize("fault", [429, 503, requests.ConnectionError("broken")])
def test_actions_are_repeated_as_they_come_to_the_same(server, client, api, fault):
    spoiled = {"status": fault} if isinstance(fault, int) else {"body": fault}
    applications, run = f"{api}/projects/p/applications/a", f"{api}/projects/p/jobs/j/runs/r:stop"
    for url in (f"{applications}:stop", f"{applications}:restart", run):
        server.post(url, **spoiled)
        server.post(url, json={"id": "x"})
    assert client.applications.stop("p", "a").id == "x"
    assert client.applications.restart("p", "a").id == "x"
    assert client.jobs.stop_run("p", "j", "r").id == "x"
    assert len(server.calls) == 6


def test_a_project_brings_its_variables_as_an_object_and_shows_them_as_text(server, client, api):
    server.post(f"{api}/projects", json={"id": "p", "environment": '{"A": "1"}'})
    made = client.projects.create(CreateProjectRequest(name="n", environment={"A": "1"}))
    assert json.loads(server.calls[0].request.body) == {"name": "n", "environment": {"A": "1"}}
    assert made.environment == {"A": "1"}


def test_deleting_what_is_gone_is_fine(server, client, api):
    for path in ("projects/p", "projects/p/jobs/j", "projects/p/applications/a", "projects/p/files/f"):
        server.delete(f"{api}/{path}", status=404)
    client.projects.delete("p")
    client.jobs.delete("p", "j")
    client.applications.delete("p", "a")
    client.files.delete("p", "f")
    assert len(server.calls) == 4


def test_an_empty_id_is_never_sent(server, client):
    for delete in (client.projects.delete, lambda bad: client.applications.delete("p", bad)):
        for bad in ("", ".", ".."):
            with pytest.raises(ConfigError):
                delete(bad)
    assert len(server.calls) == 0


def test_upload_is_delete_then_post(server, client, api):
    server.delete(f"{api}/projects/p/files/a/b.py", status=404)
    server.post(f"{api}/projects/p/files")
    client.files.upload("p", "a/b.py", b"content")
    assert sent(server) == [("DELETE", "projects/p/files/a/b.py"), ("POST", "projects/p/files")]
    body = server.calls[1].request.body
    assert b'name="a/b.py"; filename="b.py"' in body
    assert b"content" in body


def test_an_upload_that_arrived_is_not_sent_again(server, client, api):
    server.delete(f"{api}/projects/p/files/f", json={})
    server.post(f"{api}/projects/p/files", status=500)
    server.post(f"{api}/projects/p/files/f:download", body=b"content")
    client.files.upload("p", "f", b"content")
    assert [method for method, _ in sent(server)] == ["DELETE", "POST", "POST"]


def test_an_upload_that_arrived_in_part_is_replaced(server, client, api):
    server.delete(f"{api}/projects/p/files/f", json={})
    server.post(f"{api}/projects/p/files", status=500)
    server.post(f"{api}/projects/p/files")
    server.post(f"{api}/projects/p/files/f:download", body=b"cont")
    client.files.upload("p", "f", b"content")
    files = ("POST", "projects/p/files")
    delete = ("DELETE", "projects/p/files/f")
    assert sent(server) == [delete, files, ("POST", "projects/p/files/f:download"), delete, files]


def test_a_file_of_its_own_is_one_request(server, client, api):
    server.post(f"{api}/projects/p/files")
    client.files.create("p", "claims/1.json", b"content")
    assert sent(server) == [("POST", "projects/p/files")]
    assert b'name="claims/1.json"' in server.calls[0].request.body


def test_a_file_of_its_own_that_arrived_is_not_sent_again(server, client, api):
    server.post(f"{api}/projects/p/files", body=requests.ConnectionError("broken"))
    server.post(f"{api}/projects/p/files/f:download", body=b"content")
    client.files.create("p", "f", b"content")
    assert [path for _, path in sent(server)] == ["projects/p/files", "projects/p/files/f:download"]


@pytest.mark.parametrize("left", [None, b"cont"])
def test_a_file_of_its_own_that_did_not_arrive_is_sent_again_after_its_pieces_are_gone(server, client, api, left):
    server.post(f"{api}/projects/p/files", status=500)
    server.post(f"{api}/projects/p/files")
    server.post(f"{api}/projects/p/files/f:download", body=left or b"", status=200 if left else 404)
    server.delete(f"{api}/projects/p/files/f", status=200 if left else 404, json={})
    client.files.create("p", "f", b"content")
    post, delete = ("POST", "projects/p/files"), ("DELETE", "projects/p/files/f")
    assert sent(server) == [post, ("POST", "projects/p/files/f:download"), delete, post]


@pytest.mark.parametrize("bad", ["/etc/passwd", "../x", "a/../../x", "a/..", "", ".", "./"])
def test_paths_out_of_the_project_are_refused(server, client, bad):
    files = client.files
    for refuse in (
        lambda: files.upload("p", bad, b""),
        lambda: files.create("p", bad, b""),
        lambda: client.files.delete("p", bad),
    ):
        with pytest.raises(ConfigError):
            refuse()
    assert len(server.calls) == 0


def test_every_segment_of_a_path_is_encoded(server, client, api):
    server.get(f"{api}/projects/p/files/a%20b/c%3Fd%3Adownload", json={"files": [{"path": "c?d:download"}]})
    assert client.files.exists("p", "a b//./c?d:download")
    assert server.calls[0].request.url.endswith("/files/a%20b/c%3Fd%3Adownload")


def test_the_root_is_listed_with_an_empty_path(server, client, api):
    server.get(f"{api}/projects/p/files/", json={"files": [{"path": "a", "is_dir": True}]})
    assert client.files.list("p") == [FileInfo(path="a", is_dir=True)]


def test_files_that_are_absent(server, client, api):
    server.get(f"{api}/projects/p/files/f", status=404)
    server.post(f"{api}/projects/p/files/f:download", status=404)
    assert client.files.exists("p", "f") is False
    assert client.files.read_text("p", "f") is None
    with pytest.raises(NotFound):
        client.files.download("p", "f")


def test_a_key_is_valid_only_when_the_workspace_says_so(server, client, api):
    server.post(f"{api}/auth/validate_key", json={"valid": True, "username": "ada"})
    assert client.validate_key() == "ada"
    assert json.loads(server.calls[0].request.body) == {"audience": "API"}
    server.replace("POST", f"{api}/auth/validate_key", json={"username": "ada"})
    with pytest.raises(AccessRefused):
        client.validate_key()
