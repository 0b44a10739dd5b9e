"""A workspace for the tests of faults, rid of every rule after each test, and a small client for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cai_deploy.testing import LocalWorkspace, local_workspace
from tests.polling import eventually


class Client:
    """Speaks the API, and shows what came back rather than judging it."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self.workspace = workspace
        self.faults = workspace.faults
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {workspace.api_key}"

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.workspace.host}/api/v2/{path}", json=body, timeout=30, **options)

    def good(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = self.ask(method, path, body, **options)
        assert response.status_code == 200, response.text
        return response.json() if response.content else None

    def project_names(self) -> list[str]:
        return [each["name"] for each in self.good("GET", "projects?page_size=100")["projects"]]

    def project(self, **files: str) -> str:
        path = f"projects/{self.good('POST', 'projects', {'name': 'a project'})['id']}"
        eventually(lambda: self.good("GET", path)["creation_status"] == "success")
        for name, text in files.items():
            self.good("POST", f"{path}/files", files={f"{name}.py": (f"{name}.py", text)})
        return path

    def application(self, project: str, subdomain: str, script: str) -> str:
        runtime = self.good("GET", "runtimes")["runtimes"][0]["image_identifier"]
        body = {"name": f"the {subdomain}", "subdomain": subdomain, "script": script, "runtime_identifier": runtime}
        return f"{project}/applications/{self.good('POST', f'{project}/applications', body)['id']}"

    def run(self, project: str, name: str, script: str) -> str:
        runtime = self.good("GET", "runtimes")["runtimes"][0]["image_identifier"]
        job = self.good("POST", f"{project}/jobs", {"name": name, "script": script, "runtime_identifier": runtime})
        runs = f"{project}/jobs/{job['id']}/runs"
        return f"{runs}/{self.good('POST', runs)['id']}"

    def status(self, path: str) -> str:
        return str(self.good("GET", path)["status"])

    def reaches(self, path: str, status: str) -> bool:
        return bool(eventually(lambda: self.status(path) == status))


@pytest.fixture(scope="session")
def shared() -> Iterator[Client]:
    with local_workspace(stop_grace=0.5) as workspace:
        yield Client(workspace)


@pytest.fixture
def client(shared: Client) -> Iterator[Client]:
    shared.faults.clear()
    yield shared
    shared.faults.clear()
    for project in shared.good("GET", "projects?page_size=100")["projects"]:
        shared.good("DELETE", f"projects/{project['id']}")
