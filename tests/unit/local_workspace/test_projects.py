"""Projects: creation with real clones, lists, and the shapes and refusals that all kinds share."""

from __future__ import annotations

import http.server
import re
import threading
import time

import pytest
import requests

from .conftest import Client, environment_of

FIELDS = (
    "id name owner creator description visibility default_engine_type created_at updated_at creation_status"
    " permissions shared_memory_limit environment ephemeral_storage_request ephemeral_storage_limit slug"
)


def test_a_new_project_has_every_field_and_a_proper_id(shared: Client) -> None:
    made = shared.post("projects", {"name": "Shape Of It", "template": "blank", "environment": {"A": "1"}})
    assert set(made) == set(FIELDS.split())
    assert re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){3}", made["id"])
    assert (made["creation_status"], made["visibility"], made["description"]) == ("creating", "private", "")
    assert made["environment"] == '{"A": "1"}'
    assert made["slug"].endswith("shape-of-it")
    shared.delete(f"projects/{made['id']}")
    assert shared.refused("GET", f"projects/{made['id']}")[0] == 404


@pytest.mark.parametrize(
    ("ref", "content"), [("", b"two"), ("side", b"side"), ("v1", b"one"), ("first", b"one"), ("file", b"two")]
)
def test_a_git_project_is_really_cloned(shared: Client, repository: dict[str, str], ref: str, content: bytes) -> None:
    url = f"file://{repository['url']}" if ref == "file" else repository["url"]
    ref = "" if ref == "file" else repository.get(ref, ref)
    project = shared.project(template="git", git_url=url, git_ref=ref)
    assert shared.get(f"projects/{project}")["creation_status"] == "success"
    assert shared.download(project, "file.txt") == content
    shared.delete(f"projects/{project}")


@pytest.mark.parametrize("change", [{"git_url": "/nowhere/at/all"}, {"git_ref": "no-such-branch"}])
def test_a_clone_that_fails_ends_in_failure(shared: Client, repository: dict[str, str], change: dict[str, str]) -> None:
    project = shared.project(**{"template": "git", "git_url": repository["url"], **change})
    assert shared.get(f"projects/{project}")["creation_status"] == "failure"
    shared.delete(f"projects/{project}")


def test_a_private_repository_fails_soon_and_says_why(shared: Client) -> None:
    """cml-behaviour 5: without credentials it ends in failure; the reason is told beside the contract."""

    class Locked(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        began = time.monotonic()
        url = f"http://someone@127.0.0.1:{server.server_port}/private.git"
        project = shared.project(template="git", git_url=url)
        server.shutdown()
    assert time.monotonic() - began < 5
    assert shared.get(f"projects/{project}")["creation_status"] == "failure"
    told = shared.local("GET", f"projects/{project}")
    assert told["creation_status"] == "failure"
    assert "could not read" in told["reason"] or "Authentication failed" in told["reason"]
    assert "someone@" not in told["reason"]
    shared.delete(f"projects/{project}")


def test_a_fork_has_the_files_of_its_parent(shared: Client, project: str) -> None:
    """cml-behaviour 5; parent_project of the spec."""
    shared.upload(project, "d/x", "kept")
    fork = shared.project(parent_project=project)
    assert shared.download(fork, "d/x") == b"kept"
    shared.delete(f"projects/{fork}")
    assert shared.refused("POST", "projects", {"name": "x", "parent_project": "aaaa-aaaa-aaaa-aaaa"})[0] == 404


def test_a_ref_cannot_be_an_option_of_git(shared: Client, repository: dict[str, str]) -> None:
    body = {"name": "x", "template": "git", "git_url": repository["url"], "git_ref": "--detach"}
    assert shared.refused("POST", "projects", body)[0] == 400


def test_a_patch_replaces_the_environment_as_a_whole(shared: Client, project: str) -> None:
    path = f"projects/{project}"
    shared.patch(path, {"environment": '{"A": "1"}'})
    shown = shared.patch(path, {"environment": '{"B": "2"}', "description": "d", "unknown": [1]})
    assert environment_of(shown) == {"B": "2"}
    assert shared.patch(path, {"environment": ""})["environment"] == '{"B": "2"}'
    assert shared.patch(path, {"environment": "{}"})["environment"] == ""
    message = "cannot unmarshal object into Go value of type string"
    assert shared.refused("PATCH", path, {"environment": {}}) == (400, message)


def test_strangers_are_refused(shared: Client) -> None:
    url = f"{shared.endpoint.host}/api/v2/projects"
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {shared.endpoint.api_key}"}):
        response = requests.get(url, headers=header, timeout=10)
        error = response.json()
        assert (response.status_code, error["code"], error["details"]) == (401, 16, [])


def test_the_key_is_for_the_api_only(shared: Client) -> None:
    assert shared.post("auth/validate_key", {"audience": "API"})["valid"] is True
    assert shared.refused("POST", "auth/validate_key", {"audience": "Application"}) == (403, "audience mismatch")


def test_unknown_paths_and_bad_bodies_have_error_bodies(shared: Client) -> None:
    assert shared.refused("GET", "nothing/here")[0] == 404
    assert shared.refused("PUT", "projects")[0] == 405
    assert shared.refused("POST", "projects", ["a list"])[0] == 400
    assert shared.refused("POST", "projects", {"name": 5})[0] == 400
    assert shared.refused("POST", "projects", {"name": "x", "environment": {"A": 1}})[0] == 400


def test_lists_are_paged_filtered_and_sorted(shared: Client) -> None:
    made = {shared.project(name=f"Paged-{number:02}") for number in range(12)}
    ours = {"search_filter": '{"name": "Paged-"}'}

    first = shared.get("projects", params=ours)
    assert len(first["projects"]) == 10
    second = shared.get("projects", params={**ours, "page_token": first["next_page_token"]})
    assert len(second["projects"]) == 2
    assert second["next_page_token"] == ""
    assert {project["id"] for project in first["projects"] + second["projects"]} == made

    names = [f"Paged-{number:02}" for number in range(12)]
    down = shared.get("projects", params={**ours, "sort": "-name", "pageSize": "100000"})["projects"]
    assert [project["name"] for project in down] == names[::-1]
    up = shared.get("projects", params={"searchFilter": ours["search_filter"], "sort": "+name", "page_size": 3})
    assert [project["name"] for project in up["projects"]] == names[:3]

    for text, count in (('{"name": "aged-03"}', 1), ('{"name": "paged-03"}', 0), ('{"owner.name": "Local"}', 10)):
        assert len(shared.get("projects", params={"search_filter": text})["projects"]) == count
    assert shared.refused("GET", "projects?search_filter=no-json")[0] == 400
    assert shared.refused("GET", "projects?page_token=made-up")[0] == 400

    batch = shared.get("projects/batch", params={"project_ids": [*made, "aaaa-aaaa-aaaa-aaaa"]})
    assert {project["id"] for project in batch["projects"]} == made
    for project in made:
        shared.delete(f"projects/{project}")
    assert shared.get("projects", params=ours)["projects"] == []


def test_deleting_a_project_while_it_clones_ends_the_clone(shared: Client) -> None:
    made = shared.post("projects", {"name": "x", "template": "git", "git_url": "http://127.0.0.1:9/never.git"})
    shared.delete(f"projects/{made['id']}")
    assert not (shared.endpoint.home / "projects" / made["id"]).exists()


def test_runtimes_and_capacity(shared: Client) -> None:
    runtime = shared.get("runtimes")["runtimes"][0]
    assert re.fullmatch(
        r"docker\.repository\.cloudera\.com/cloudera/cdsw/ml-runtime-pbj-workbench-python3\.\d+-standard:[\w.-]+",
        runtime["image_identifier"],
    )
    assert (runtime["editor"], runtime["edition"], runtime["status"]) == ("PBJ Workbench", "Standard", "ENABLED")
    assert shared.get("runtimeaddons")["runtime_addons"][0]["status"] == "AVAILABLE"
    assert shared.get("nodelabels")["accelerator_node_label"] == []
    assert shared.get("cpuprofiles")["cpu_resource_profiles"][0]["cpu"] == 1
    assert len(shared.get("resourcegroups")["resource_group"]) == 1
    gpus = {"search_filter": '{"gpu_count": "gt:0"}'}
    assert shared.get("resourcegroups", params=gpus)["resource_group"] == []


def test_the_home_is_for_its_owner_alone(shared: Client) -> None:
    home = shared.endpoint.home
    assert home.stat().st_mode & 0o077 == 0
    for name in ("workspace.json", "identity.json"):
        assert (home / name).stat().st_mode & 0o077 == 0
    assert shared.endpoint.api_key not in (home / "server.log").read_text()
    assert shared.endpoint.api_key not in repr(shared.endpoint)
