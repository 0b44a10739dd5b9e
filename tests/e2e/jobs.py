"""Ray jobs through the head's application, as a person outside submits them."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from cai_deploy import layout
from cai_deploy.api.applications import Applications
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateJobRequest, CreateJobRunRequest, Project
from cai_deploy.api.transport import Transport
from tests.e2e.conftest import Shell

SPREAD = """
import json, ray
ray.init('auto')
names = {node['NodeID']: node['NodeName'] for node in ray.nodes()}

@ray.remote(num_cpus=0, scheduling_strategy='SPREAD')
def where():
    return ray.get_runtime_context().get_node_id()

found = set()
while len(found) < len(names):
    found |= set(ray.get([where.remote() for _ in range(len(names))]))
print('PLACED ' + json.dumps(sorted(names[node] for node in found)))
"""


def run_job(shell: Shell, script: str, arguments: str, deadline: float = 240.0) -> str:
    """Run a job of the cluster's project through the API and return what it wrote; it must succeed."""
    client, project = client_of(shell)
    runtime = client.runtimes.list()[0].image_identifier
    name = f"e2e {script}"
    job = client.jobs.find(project.id, name) or client.jobs.create(
        CreateJobRequest(project_id=project.id, name=name, script=script, runtime_identifier=runtime)
    )
    run = client.jobs.create_run(project.id, job.id, CreateJobRunRequest(arguments=arguments))
    end = time.monotonic() + deadline
    while (status := client.jobs.get_run(project.id, job.id, run.id).status) not in (
        "ENGINE_SUCCEEDED",
        "ENGINE_FAILED",
    ):
        assert time.monotonic() < end, status
        time.sleep(0.3)
    told = client.files.read_text(project.id, layout.job_log_file(Path(script).stem)) or ""
    assert status == "ENGINE_SUCCEEDED", told
    return told


def client_of(shell: Shell) -> tuple[Client, Project]:
    """A client of the person's workspace, and the cluster's project there."""
    exports = exported(shell)
    client = Client(Transport(exports["CML_HOST"], exports["CML_API_KEY"]))
    project = client.projects.find("ray")
    assert project
    return client, project


def applications_of(shell: Shell) -> tuple[Applications, str]:
    """The applications of the cluster's project, for a hand that changes them behind the deployer's back."""
    client, project = client_of(shell)
    return client.applications, project.id


def exported(shell: Shell) -> dict[str, str]:
    """What ``workspace env`` gives a shell."""
    lines = shell.ok("workspace", "env").stdout.splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def credentials(shell: Shell) -> dict[str, str]:
    """What a person with the key, who can read the project's files, shows to the head's application."""
    client, project = client_of(shell)
    token = (client.files.read_text(project.id, layout.token_file("ray")) or "").strip()
    assert token
    return {"Authorization": f"Bearer {exported(shell)['CML_API_KEY']}", "X-Ray-Authorization": f"Bearer {token}"}


def run_ray_job(shell: Shell, code: str, deadline: float = 90.0) -> list[str]:
    """Submit ``code`` through the application's address and return the node names that it printed."""
    connection = shell.status()["connection"]
    host = urlsplit(connection["dashboard_url"])
    base = f"http://127.0.0.1:{host.port}/api/jobs/"
    headers = {"Host": host.netloc, **credentials(shell)}
    entrypoint = shlex.join(["python", "-c", code])
    answer = requests.post(base, json={"entrypoint": entrypoint}, headers=headers, timeout=30)
    answer.raise_for_status()
    job = answer.json()["submission_id"]
    end = time.monotonic() + deadline
    while (state := requests.get(base + job, headers=headers, timeout=30).json())["status"] not in (
        "SUCCEEDED",
        "FAILED",
    ):
        assert time.monotonic() < end, state
        time.sleep(0.3)
    log = requests.get(base + job + "/logs", headers=headers, timeout=30).json()["logs"]
    assert state["status"] == "SUCCEEDED", log
    line = next(line for line in log.splitlines() if line.startswith("PLACED "))
    return list(json.loads(line.removeprefix("PLACED ")))
