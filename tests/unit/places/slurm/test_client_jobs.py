"""A head found by its number, and the job of a client that is made from it, with files as they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError, DeployError
from cai_deploy.node_settings import parse
from cai_deploy.places.slurm import client_jobs, marks
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.client_jobs import GROUP, Script, exports_of
from cai_deploy.places.slurm.client_options import ClientShape
from cai_deploy.places.slurm.head_jobs import HeadInfo, HeadJob, NoSuchHead, announced, head_job, located
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.spec import ClusterSpec

INFO = ConnectionInfo(
    "ray", 3, "10.0.0.2", "10.0.0.2:12001", "10.0.0.2:12003", "10.0.0.2:12014", "", "2.60.0", "3.11.7",
    "2026-11-21T11:00:00+00:00", token_path=".cai-deploy/clusters/ray/token",
)  # fmt: skip

HEAD_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=ray-head
cd -- '/sha red' || {
  echo "$(hostname) does not have it: isn't that odd" >&2
  exit 78
}
export CAI_DEPLOY_ENVIRONMENT=ray-e1
export CAI_DEPLOY_EPOCH=5
export NOTE='it'"'"'s
two lines'
export PYTHONPATH=/code
exec python3 ray_head_launcher.py
"""


class Known:
    """A queue that knows some jobs."""

    def __init__(self, *jobs: Job) -> None:
        self._jobs = {job.job_id: job for job in jobs}

    def job(self, job_id: int) -> Job | None:
        return self._jobs.get(job_id)


def marked(directory: Path, node: str = "head", state: str = "RUNNING", output: str = "") -> Job:
    mark = Mark("ray", owner_of(str(directory)), node, node, "f", 5)
    return Job(job_id=17, name=mark.job_name, comment=mark.comment(), job_state=(state,), standard_output=output)


@pytest.fixture
def head(tmp_path: Path) -> HeadJob:
    """A head that runs, with the files of its cluster."""
    job = marked(tmp_path)
    mark = marks.read(job.comment, job.name)
    assert mark
    put(tmp_path / layout.job_script_file("ray", "head"), HEAD_SCRIPT)
    put(tmp_path / layout.head_job_file("ray", 17), told())
    put(tmp_path / layout.environment_ready_file("ray-e1"), "{}")
    return HeadJob(mark, job, tmp_path)


def told(**more: object) -> str:
    return json.dumps({**asdict(INFO), "job_id": 17, "head_node": "n1", "port_offset": 12000, **more})


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_only_a_head_that_lives_is_one(tmp_path: Path) -> None:
    mark, job = head_job(Known(marked(tmp_path)), 17)
    assert (mark.cluster, job.job_id) == ("ray", 17)
    with pytest.raises(NoSuchHead, match="knows no job 18"):
        head_job(Known(marked(tmp_path)), 18)
    with pytest.raises(NoSuchHead) as worker:
        head_job(Known(marked(tmp_path, node="worker-0")), 17)
    assert "worker-0" in worker.value.why
    with pytest.raises(NoSuchHead) as over:
        head_job(Known(marked(tmp_path, state="TIMEOUT")), 17)
    assert over.value.why == "its time limit ended it"
    with pytest.raises(NoSuchHead):
        head_job(Known(Job(job_id=17, name="somebody's", job_state=("RUNNING",))), 17)


def test_the_directory_is_the_guess_that_the_mark_agrees_with(tmp_path: Path) -> None:
    job = marked(tmp_path)
    mark = marks.read(job.comment, job.name)
    assert mark
    assert located(mark, job, [Path("/elsewhere"), tmp_path]).directory == tmp_path
    with pytest.raises(DeployError, match="not known"):
        located(mark, job, [Path("/elsewhere")])


@pytest.mark.parametrize("name", ["plain", "with .cai-deploy/inside", "50% done"])
def test_the_directory_is_found_by_where_the_job_writes(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir(parents=True)
    output = f"{directory}/.cai-deploy/clusters/ray/jobs/head.out"
    for written in (output, output.replace("%", "%%")):
        job = marked(directory, output=written)
        mark = marks.read(job.comment, job.name)
        assert mark
        assert located(mark, job, [Path("/elsewhere")]).directory == directory


def test_what_a_head_says_of_itself(head: HeadJob) -> None:
    assert announced(head) == HeadInfo(INFO, 17, "n1", 12000)
    file = head.directory / layout.head_job_file("ray", 17)
    put(file, json.dumps(asdict(INFO)))
    with pytest.raises(ConnectionFileError):
        announced(head)
    file.unlink()
    assert announced(head) is None


def test_the_variables_of_a_batch_script_are_read_as_bash_does() -> None:
    found = exports_of(HEAD_SCRIPT)
    assert found["NOTE"] == "it's\ntwo lines"
    assert (found["PYTHONPATH"], found["CAI_DEPLOY_EPOCH"]) == ("/code", "5")


def test_a_client_runs_what_the_head_runs(head: HeadJob) -> None:
    client = prepared(head)
    assert client.name == "client-0"
    assert client.submission.mark.group == GROUP
    assert marks.read(client.submission.mark.comment(), "ray-client-0") == client.submission.mark
    text = client.submission.script.read_text()
    given = exports_of(text)
    assert json.loads(given["CAI_DEPLOY_RUN"]) == ["python", "train it.py", "--lr", "0.1"]
    assert given["CAI_DEPLOY_RUN_DIRECTORY"] == "/home/some body"
    assert (given["PYTHONPATH"], given["CAI_DEPLOY_ENVIRONMENT"], given["CAI_DEPLOY_EPOCH"]) == ("/code", "ray-e1", "5")
    assert given["CAI_DEPLOY_NODE"] == "client-0"
    assert "NOTE" not in given
    settings = parse(given["CAI_DEPLOY_SETTINGS"])
    assert (settings.role, settings.group, settings.cpu, settings.memory_gb, settings.gpu) == (
        "worker",
        GROUP,
        3,
        5.0,
        1,
    )
    assert (settings.authentication, settings.tls) == ("token", False)
    for line in ("--cpus-per-task=3", "--mem=5120M", "--gres=gpu:1", "--time=1:00:00", "--no-requeue"):
        assert f"#SBATCH {line}\n" in text
    assert f"#SBATCH --output={client.output}\n" in text


def test_each_client_has_a_name_of_its_own(head: HeadJob) -> None:
    names = [prepared(head).name for _ in range(3)]
    put(head.directory / layout.job_script_file("ray", "client-7"), "")
    assert [*names, prepared(head).name] == ["client-0", "client-1", "client-2", "client-8"]


def test_an_environment_that_is_not_there(head: HeadJob) -> None:
    assert client_jobs.environment_of(head, client_jobs.inherited(head)) == "ray-e1"
    (head.directory / layout.environment_ready_file("ray-e1")).unlink()
    with pytest.raises(DeployError, match="ray-e1 is not there"):
        client_jobs.environment_of(head, client_jobs.inherited(head))
    (head.directory / layout.job_script_file("ray", "head")).unlink()
    with pytest.raises(DeployError, match="cannot be read"):
        client_jobs.inherited(head)


def test_the_specification_is_the_one_in_force(head: HeadJob) -> None:
    assert client_jobs.specification(head) == ClusterSpec(name="ray")
    spec = ClusterSpec.model_validate({"name": "ray", "place": "slurm", "slurm": {"account": "lab", "checkpoint": 90}})
    put(head.directory / layout.applied_spec_file("ray"), spec.to_json())
    assert client_jobs.specification(head) == spec


@pytest.mark.parametrize(("warning", "seconds"), [(120, 60.0), (80, 50.0), (40, 20.0)])
def test_the_checkpoint_leaves_time_to_leave(warning: int, seconds: float) -> None:
    assert client_jobs.checkpoint_of(ClusterSpec(), SlurmOptions(warning=warning)) == seconds


def prepared(head: HeadJob) -> client_jobs.Client:
    info = announced(head)
    assert info
    settings = client_jobs.settings_of(info, ClusterSpec(), "ray-e1", ClientShape(3, 5.0), 1)
    options = SlurmOptions(time="1:00:00", requeue=False)
    script = Script("train it.py", ("--lr", "0.1"), Path("/home/some body"))
    return client_jobs.prepare(head, settings, options, script, 60)
