"""The documents that a workspace tells of itself: no key needed, made late, and valid."""

from __future__ import annotations

import ast
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV2SpecValidator

from cai_deploy.local_workspace import process
from cai_deploy.local_workspace.contract import client as cmlapi_writer
from cai_deploy.local_workspace.contract.reader import contract
from tests.contract.workspace import OPERATIONS


def fetch(endpoint: process.Endpoint, document: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{endpoint.host}/api/v2/{document}", timeout=30)


@pytest.fixture(scope="module")
def swagger(endpoint: process.Endpoint) -> dict[str, Any]:
    answer = fetch(endpoint, "swagger.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    document: dict[str, Any] = answer.json()
    return document


def test_swagger_json_is_a_valid_swagger_2_document(swagger: dict[str, Any]) -> None:
    OpenAPIV2SpecValidator(swagger).validate()


def test_swagger_json_holds_every_operation_at_the_path_of_the_service(swagger: dict[str, Any]) -> None:
    shown = {
        (stated["operationId"], method, path)
        for path, item in swagger["paths"].items()
        for method, stated in item.items()
    }
    assert shown == {
        (name, method, stated.get("x-spec-path", path)) for name, (method, path, stated) in OPERATIONS.items()
    }
    patched = swagger["paths"]["/api/v2/projects/{project_id}/jobs/{job.id}"]["patch"]
    assert [one["name"] for one in patched["parameters"]] == ["project_id", "job.id", "body"]


def test_swagger_json_says_nothing_that_was_only_observed(swagger: dict[str, Any]) -> None:
    assert "pattern" not in swagger["definitions"]["CreateApplicationRequest"]["properties"]["subdomain"]
    assert "minLength" not in swagger["paths"]["/api/v2/projects/{project_id}"]["get"]["parameters"][0]


@pytest.mark.parametrize(("page", "words"), [("swagger.html", "CreateJobRun"), ("python.html", "create_job_run(body")])
def test_pages_are_html_for_people(endpoint: process.Endpoint, page: str, words: str) -> None:
    answer = fetch(endpoint, page)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert words in answer.text


def test_other_paths_and_methods_still_need_a_key(endpoint: process.Endpoint) -> None:
    assert fetch(endpoint, "projects").status_code == 401
    assert fetch(endpoint, "swagger.yaml").status_code == 401
    assert requests.post(f"{endpoint.host}/api/v2/swagger.json", timeout=30).status_code == 401


def test_a_server_that_starts_reads_no_contract() -> None:
    look = (
        "import sys, cai_deploy.local_workspace.contract.documents;"
        "print('yaml' in sys.modules, 'jinja2' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["False", "False"]


def test_the_archive_is_the_same_each_time(endpoint: process.Endpoint) -> None:
    first, second = fetch(endpoint, "python.tar.gz"), fetch(endpoint, "python.tar.gz")
    assert first.content == second.content
    with tarfile.open(fileobj=BytesIO(first.content)) as archive:
        assert "cmlapi-26.6.13/cmlapi/api/cml_service_api.py" in archive.getnames()


def test_the_generated_client_is_tidy(tmp_path: Path) -> None:
    """As tidy as written by hand: parsed, documented, and what the project's own formatter would write."""
    files = cmlapi_writer.files(contract())
    for path, text in files.items():
        written = tmp_path / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
        if path.endswith(".py"):
            assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is for"
    pytest.importorskip("ruff")
    for arguments in (["format", "--check"], ["check", "--select", "E,F,I,B,UP"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "120", str(tmp_path)]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert told.returncode == 0, told.stdout


def test_every_operation_is_a_method_with_its_body_first() -> None:
    methods = {method["name"]: method for method in map(cmlapi_writer.method, contract().operations)}
    assert len(methods) == len(OPERATIONS)
    for name, body, given in (
        ("update_application", "Application", ["project_id", "application_id"]),
        ("create_job_run", "CreateJobRunRequest", ["project_id", "job_id"]),
        ("list_cpu_profiles", "", []),
        ("stop_job_run", "", ["project_id", "job_id", "run_id"]),
    ):
        assert methods[name]["body"] == body
        assert [one["name"] for one in methods[name]["required"]] == given
