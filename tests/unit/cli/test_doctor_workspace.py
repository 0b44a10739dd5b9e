"""What ``doctor`` finds where nodes are applications: broken set-ups, real ones, each with its whole output."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateApplicationRequest, CreateProjectRequest
from cai_deploy.api.transport import Transport
from cai_deploy.testing import LocalWorkspace, local_workspace
from tests.polling import eventually
from tests.unit.cli.front import front, make_certificates
from tests.unit.cli.test_command_line import Ran, run

SPECIFICATION = """
head: {cpu: 1, memory_gb: 2}
workers: [{replicas: 2, cpu: 1, memory_gb: 2}]
"""
ORDER = (
    "specification",
    "workspace",
    "certificate",
    "key",
    "clock",
    "project",
    "git",
    "runtime of head",
    "runtime of worker",
    "quota",
    "subdomains",
)


class Person:
    """Somebody in a checkout, with a workspace that has yet to see them."""

    def __init__(self, directory: Path, workspace: LocalWorkspace) -> None:
        self.directory = directory
        self.workspace = workspace
        self.client = Client(Transport(workspace.host, workspace.api_key))
        self.host = workspace.host
        self.environ: dict[str, str] = {}
        self.image = self.client.runtimes.list()[0].image_identifier
        for words in (["init", "-q", "-b", "main"], ["commit", "-qm", "a", "--allow-empty"]):
            subprocess.run(
                ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid", *words], cwd=directory, check=True
            )
        self.commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=directory, text=True).strip()
        self.write(SPECIFICATION)

    def write(self, specification: str) -> None:
        (self.directory / "cai-deploy.yaml").write_text(specification)

    def run(self, *arguments: str) -> Ran:
        environ = {**self.workspace.env(), "CML_HOST": self.host, "REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": ""}
        return run(self.directory, *arguments, **{**environ, **self.environ})

    def expected(self, until: str = "", **other: str) -> str:
        """The whole output: what is well, and ``other`` lines instead; nothing behind the line ``until``."""
        lines = {
            "specification": "ok      specification: valid: cluster ray, 3 nodes",
            "workspace": f"ok      workspace: {self.host} answers (from CML_HOST)",
            "key": "ok      key: valid, it belongs to local",
            "clock": "ok      clock: agrees with the workspace's",
            "project": "ok      project: ray is not there yet; launch makes it",
            "git": f"ok      git: {self.directory} answers, main is at {self.commit[:10]}",
            "runtime of head": f"ok      runtime of head: {self.image}",
            "runtime of worker": f"ok      runtime of worker: {self.image}",
            "quota": "ok      quota: 3 vCPU, 6 GB of memory fit: the workspace names no limit",
            "subdomains": "ok      subdomains: free: they will end in a piece of the project's id",
            **{name.replace("_of_", " of "): line for name, line in other.items()},
        }
        shown = ORDER[: ORDER.index(until) + 1] if until else ORDER
        return "".join(f"{lines[name]}\n" for name in shown if name in lines)

    def finds(self, status: int, until: str = "", **other: str) -> None:
        ran = self.run("doctor")
        assert (ran.out, ran.err, ran.status) == (self.expected(until, **other), "", status)

    def project(self, name: str) -> str:
        made = self.client.projects.create(CreateProjectRequest(name=name, template="local"))
        eventually(lambda: self.client.projects.get(made.id).creation_status == "success")
        return made.id

    def application(self, project_id: str, name: str, subdomain: str, *, cpu: float = 0.5) -> None:
        self.client.files.create(project_id, "app.py", b"import time; time.sleep(600)")
        body = CreateApplicationRequest(
            project_id=project_id,
            name=name,
            subdomain=subdomain,
            script="app.py",
            runtime_identifier=self.image,
            cpu=cpu,
            memory=1,
        )
        self.client.applications.create(body)


@pytest.fixture(scope="module")
def workspace() -> Iterator[LocalWorkspace]:
    with local_workspace() as started:
        yield started


@pytest.fixture
def person(tmp_path: Path, workspace: LocalWorkspace) -> Iterator[Person]:
    someone = Person(tmp_path, workspace)
    yield someone
    for project in someone.client.projects.list():
        someone.client.projects.delete(project.id)
    workspace.faults.clear()
    workspace.settings(quota={"cpu": None, "memory": None, "gpu": None}, gpus=0)


def test_all_is_well(person: Person) -> None:
    person.finds(0)
    checks = json.loads(person.run("doctor", "--json").out)["checks"]
    assert [check["name"] for check in checks] == [name for name in ORDER if name != "certificate"]
    assert {check["status"] for check in checks} == {"ok"}


def test_a_misspelt_key(person: Person) -> None:
    person.write("head: {cpu: 1}\nworkers: [{replica: 2}]\n")
    person.finds(
        2,
        until="clock",
        specification="failed  specification: cai-deploy.yaml is not a valid specification:"
        " workers[0].replica: unknown key; did you mean 'replicas'? (line 2, column 12)\n"
        "        hint: compare with the annotated example: python -m cai_deploy config --example",
    )


def test_a_host_without_a_key(person: Person) -> None:
    person.environ = {"CML_API_KEY": ""}
    person.finds(
        2,
        until="workspace",
        workspace="failed  workspace: CML_HOST names a workspace, but there is no key for it\n"
        "        hint: set CML_API_KEY to an API v2 key (User Settings > API Keys in the workspace)",
    )


def test_nobody_listens(person: Person) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        person.host = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        person.finds(
            5,
            until="workspace",
            workspace=f"failed  workspace: {person.host} cannot be reached: Connection refused\n"
            "        hint: check CML_HOST, the network and the proxy settings",
        )


@pytest.mark.parametrize(
    ("made", "bundle", "why", "hint"),
    [
        (
            {},
            "",
            "its certificate is not trusted",
            "set REQUESTS_CA_BUNDLE to a file with the certificate authority of the workspace",
        ),
        (
            {"days": -1},
            "ca.pem",
            "its certificate has expired",
            "check this machine's clock; if it is right, have the administrator renew the certificate",
        ),
        (
            {"name": "ml.example.com"},
            "ca.pem",
            "its certificate is for another name",
            "set CML_HOST to the name that the workspace's certificate has",
        ),
    ],
    ids=["a foreign authority", "expired", "another name"],
)
def test_certificates(person: Person, made: dict[str, object], bundle: str, why: str, hint: str) -> None:
    _, certificate = make_certificates(person.directory, **made)  # type: ignore[arg-type]
    with front(person.workspace.host, certificate=certificate) as person.host:
        person.environ = {"REQUESTS_CA_BUNDLE": bundle and str(person.directory / bundle)}
        person.finds(
            5,
            until="workspace",
            workspace=f"failed  workspace: {person.host} cannot be reached: {why}\n        hint: {hint}",
        )


def test_the_right_authority(person: Person) -> None:
    bundle, certificate = make_certificates(person.directory)
    with front(person.workspace.host, certificate=certificate) as person.host:
        person.environ = {"REQUESTS_CA_BUNDLE": str(bundle)}
        ran = person.run("doctor")
    assert f"ok      certificate: trusted, by the bundle {bundle}\nok      key: valid" in ran.out


def test_a_bundle_that_is_not_there(person: Person) -> None:
    person.environ = {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}
    person.finds(
        2,
        until="workspace",
        workspace="failed  workspace: the CA bundle /nowhere/ca.pem does not exist\n"
        "        hint: correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE, or unset it",
    )


KEY_HINT = "        hint: make a new API v2 key with the audience API, and see that its owner may write to the project"


def test_a_wrong_key(person: Person) -> None:
    person.environ = {"CML_API_KEY": "x" * 64 + "." + "y" * 64}
    ran = person.run("doctor")
    assert ran.status == 4
    assert ran.out.startswith(person.expected(until="workspace") + "failed  key: POST /api/v2/auth/validate_key was ")
    assert ran.out.endswith(f"{KEY_HINT}\nok      clock: agrees with the workspace's\n")
    assert "xxx" not in ran.out


def test_a_key_for_something_else(person: Person) -> None:
    refused = {"auth/validate_key": (403, {"code": 7, "message": "audience mismatch"})}
    with front(person.workspace.host, answers=refused) as person.host:
        person.finds(
            4,
            until="clock",
            key=f"failed  key: POST /api/v2/auth/validate_key was answered with 403: audience mismatch\n{KEY_HINT}",
        )


def test_a_login_page(person: Person) -> None:
    with front(person.workspace.host, answers={"validate_key": (200, "<html>Log in</html>")}) as person.host:
        person.finds(
            1,
            until="workspace",
            workspace="failed  workspace: this is not the address of a workspace:"
            " an HTML page, perhaps of a login\n"
            "        hint: set CML_HOST to the address of the workspace itself, as a browser shows it",
        )


def test_a_clock_that_is_off(person: Person) -> None:
    with front(person.workspace.host, late=7200) as person.host:
        person.finds(
            0,
            clock="warn    clock: this machine's clock is 2 hours ahead of the workspace's\n"
            "        hint: set the clock that is wrong (NTP): certificates and expires_at are read by it",
        )


MORE = "        hint: ask for fewer or smaller nodes, or have the administrator give more"


def test_a_quota_that_is_too_small_and_launch_refuses_it_likewise(person: Person) -> None:
    person.workspace.settings(quota={"cpu": 2, "memory": 4})
    lacking = [
        "it asks for 3 vCPU in all, and your quota is 2",
        "it asks for 6 GB of memory in all, and your quota is 4",
    ]
    told = f"cluster ray would wait in SCHEDULING for ever: {lacking[0]}\n        {lacking[1]}"
    person.finds(2, until="subdomains", quota=f"failed  quota: {told}\n{MORE}")
    for verb in ("launch", "plan"):
        ran = person.run(verb)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == (
            f"place: the workspace at {person.host} (from CML_HOST)\n"
            "error: cluster ray would wait in SCHEDULING for ever\n"
            f"  {lacking[0]}\n  {lacking[1]}\n"
            "hint: ask for fewer or smaller nodes, or have the administrator give more\n"
        )
    assert person.client.projects.list() == []


def test_a_quota_that_something_else_uses(person: Person) -> None:
    person.workspace.settings(quota={"cpu": 3})
    person.application(person.project("other"), "busy", "busy", cpu=1.5)
    eventually(lambda: person.client.capacity.quotas()[0].quota_usage.cpu == "1.5")
    person.finds(
        0,
        quota="warn    quota: it asks for 3 vCPU, and 1.5 of your 3 are used elsewhere\n"
        "        hint: stop what runs elsewhere, or nodes wait in SCHEDULING until it ends",
    )


@pytest.mark.parametrize(
    ("gpus", "told"),
    [
        (0, "worker asks for 2 GPUs a node, and the workspace has no accelerator label"),
        (1, "worker asks for 2 GPUs a node, and the workspace gives 1 at the most"),
    ],
)
def test_gpus_that_the_workspace_has_not(person: Person, gpus: int, told: str) -> None:
    person.workspace.settings(gpus=gpus)
    worker = f"{{replicas: 2, cpu: 1, memory_gb: 2, gpu: 2, runtime: '{person.image}'}}"
    person.write(f"head: {{cpu: 1, memory_gb: 2}}\nworkers: [{worker}]\n")
    person.finds(2, quota=f"failed  quota: cluster ray would wait in SCHEDULING for ever: {told}\n{MORE}")
    assert f"error: cluster ray would wait in SCHEDULING for ever\n  {told}\n" in person.run("launch").err


def test_a_runtime_that_is_not_there(person: Person) -> None:
    wrong = person.image.replace("standard", "standart")
    person.write(f"{SPECIFICATION}\n".replace("head: {", f"head: {{runtime: '{wrong}', "))
    person.finds(
        2,
        runtime_of_head=f"failed  runtime of head: the workspace has no runtime {wrong}\n"
        f"        hint: did you mean {person.image}?",
    )


def test_a_runtime_that_is_disabled(person: Person) -> None:
    disabled = {"image_identifier": person.image, "kernel": "Python 3.11", "status": "DISABLED"}
    person.write(SPECIFICATION.replace("head: {", f"head: {{runtime: '{person.image}', "))
    with front(person.workspace.host, answers={"/runtimes": (200, {"runtimes": [disabled]})}) as person.host:
        person.finds(
            2,
            runtime_of_head=f"failed  runtime of head: {person.image} is DISABLED in the workspace\n"
            "        hint: choose another, or have the administrator enable it",
            runtime_of_worker="failed  runtime of worker: no runtime of the workspace has a Python that Ray supports:"
            " enabled: none\n"
            "        hint: set `python` or a group's `runtime` to one of them, or enable another in the workspace",
        )


def test_a_repository_that_does_not_answer(person: Person) -> None:
    person.write(f"{SPECIFICATION}\nproject: {{git_url: 'http://127.0.0.1:9/a.git'}}\n")
    ran = person.run("doctor")
    assert ran.status == 2
    assert "failed  git: http://127.0.0.1:9/a.git does not answer from here: unable to access" in ran.out
    assert "        hint: check the address; a private repository needs project.git_key_file or" in ran.out


def test_a_branch_that_is_not_pushed(person: Person) -> None:
    person.write(f"{SPECIFICATION}\nproject: {{git_ref: new}}\n")
    person.finds(
        2,
        git=f"failed  git: {person.directory} has no new\n        hint: push it: git push -u origin new",
    )


def test_an_address_that_somebody_else_has(person: Person) -> None:
    project_id = person.project("ray")
    taken = f"ray-worker-1-{hashlib.sha256(project_id.encode()).hexdigest()[:6]}"
    person.application(person.project("other"), "squatter", taken)
    person.finds(
        1,
        project="ok      project: ray is there",
        subdomains=f"failed  subdomains: {taken} is held by application squatter of project other\n"
        "        hint: delete that application, or give the cluster another name",
    )


def test_a_project_whose_clone_failed(person: Person) -> None:
    person.workspace.faults.add("creation_failure")
    made = person.client.projects.create(CreateProjectRequest(name="ray", template="local"))
    eventually(lambda: person.client.projects.get(made.id).creation_status == "failure")
    person.finds(
        1,
        until="project",
        project="failed  project: the clone of project ray failed\n"
        "        hint: delete the project (`down --project`), and see that the workspace can reach the repository",
    )
