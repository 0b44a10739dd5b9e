"""The import as an Applied ML Prototype: the tasks of the manifest, done as a workspace does them.

The workspace itself imports nothing by a manifest: that is its web page's work, which goes through the same jobs.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateJobRequest, CreateJobRunRequest, CreateProjectRequest
from cai_deploy.api.transport import Transport
from tests.e2e.conftest import Shell
from tests.e2e.jobs import exported
from tests.polling import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.long]

UNDER_WAY = ("ENGINE_SCHEDULING", "ENGINE_STARTING", "ENGINE_RUNNING")


def test_the_tasks_of_the_manifest_end_with_a_cluster(person: Callable[..., Shell]) -> None:
    shell = person()
    shell.ok("workspace", "start")
    target = exported(shell)
    client = Client(Transport(target["CML_HOST"], target["CML_API_KEY"]))
    manifest = yaml.safe_load((shell.checkout / ".project-metadata.yaml").read_text())
    project = client.projects.create(
        CreateProjectRequest(
            name="imported",
            template="git",
            git_url=str(shell.checkout),
            default_project_engine_type="ml_runtime",
            environment={name: each["default"] for name, each in manifest["environment_variables"].items()},
            shared_memory_limit=int(manifest["shared_memory_limit"] * 1024),
        )
    )
    eventually(lambda: client.projects.get(project.id).creation_status == "success", seconds=60)
    kernel = manifest["runtimes"][0]["kernel"].removeprefix("Python ")
    runtime = next(each for each in client.runtimes.list() if kernel in each.image_identifier).image_identifier
    created = {}
    for task in manifest["tasks"]:
        label = task["entity_label"]
        if task["type"] == "create_job":
            created[label] = client.jobs.create(
                CreateJobRequest(
                    project_id=project.id,
                    name=task["name"],
                    script=task["script"],
                    arguments=task["arguments"],
                    cpu=task["cpu"],
                    memory=task["memory"],
                    runtime_identifier=runtime,
                )
            )
            continue
        ended = run_to_its_end(client, project.id, created[label].id)
        assert ended == "ENGINE_SUCCEEDED", client.files.read_text(project.id, layout.job_log_file(label))
    shell.environ = {**target, "CML_PROJECT_ID": project.id}
    status = shell.status()
    assert status["converged"]
    assert [(node["name"], node["ray_state"]) for node in status["nodes"]] == [("head", "ALIVE"), ("worker-0", "ALIVE")]
    assert "nothing to do" in shell.ok("launch", "--workers", "1").stderr
    shell.ok("down")


def run_to_its_end(client: Client, project: str, job: str) -> str:
    run = client.jobs.create_run(project, job, CreateJobRunRequest())

    def ended() -> str:
        status = client.jobs.get_run(project, job, run.id).status
        return "" if status in UNDER_WAY else status

    return str(eventually(ended, seconds=400))
