"""submit and jobs as a person meets them: what stands on stdout, what on stderr, and the exit codes."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cai_deploy.access import Access
from cai_deploy.cli import jobs as jobs_verb
from cai_deploy.cli import submit as submit_verb
from cai_deploy.cli import watching
from cai_deploy.errors import DeployError
from cai_deploy.submission.follow import Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import JobsRefusal, Member, NoSuchJob, Request
from tests.unit.submission.fake_jobs import FAILED, HANG, RUNNING, STOPPED, SUCCEEDED, FakeJobs

WORKER = Member({"cai-deploy/group": "worker"}, {"CPU": 2})
COMMAND = ("--", "python", "x")


@dataclass
class Opened:
    """A session that leads to a head."""

    def access(self, *, patience: float) -> Access:
        assert patience >= 1
        return Access("https://ray-head.ml.example.com")


class PackageReader(FakeJobs):
    """Looks into packages while they are there."""

    names: list[str]

    def submit(self, request: Request) -> bool:
        assert request.package
        with zipfile.ZipFile(request.package) as package:
            self.names = package.namelist()
        return super().submit(request)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PackageReader:
    jobs = PackageReader(alive=[WORKER])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watching, "Pace", partial(Pace, look=0.02, again=0.01, rest=0.1))
    (tmp_path / "x.py").touch()
    for verb in (submit_verb, jobs_verb):
        monkeypatch.setattr(verb, "open_session", lambda config: Opened())
        monkeypatch.setattr(verb, "open_jobs", lambda access: jobs)
    return jobs


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, prog_name="cai_deploy")


def submit(*arguments: str) -> Result:
    return run(submit_verb.command, *arguments)


def jobs(*arguments: str) -> Result:
    return run(jobs_verb.command, *arguments)


@pytest.mark.parametrize(("end", "expected"), [(SUCCEEDED, 0), (FAILED, 7), (STOPPED, 143)])
def test_output_is_on_stdout_as_it_is_and_the_end_is_the_jobs(fake: PackageReader, end: Job, expected: int) -> None:
    fake.found, fake.tails, fake.outputs = [end], [["Größe\n"]], ["Größe\nend"]
    ran = submit(*COMMAND)
    assert (ran.exit_code, ran.stdout) == (expected, "Größe\nend")
    assert f"{end.status}" in ran.stderr


def test_no_wait_prints_the_id(fake: PackageReader) -> None:
    ran = submit("--no-wait", *COMMAND)
    (request,) = fake.submitted
    assert (ran.exit_code, ran.stdout) == (0, f"{request.id}\n")
    assert request.entrypoint == "python x"
    assert fake.names == ["x.py"]


def test_it_runs_beside_the_head_and_takes_nothing(fake: PackageReader) -> None:
    submit("--no-wait", *COMMAND)
    submit("--no-wait", "--on-head", *COMMAND)
    submit("--no-wait", "--on-head", "--num-cpus", "1", *COMMAND)
    assert [request.on for request in fake.submitted] == [
        {"cai-deploy/group": "!head"},
        None,
        {"cai-deploy/group": "head"},
    ]
    assert fake.submitted[0].num_cpus == 0


def test_where_no_worker_could_hold_it_ray_decides_and_that_is_said(fake: PackageReader) -> None:
    ran = submit("--no-wait", "--num-cpus", "3", *COMMAND)
    assert fake.submitted[0].on is None
    assert "no worker could hold the command" in ran.stderr


def test_what_is_asked_for_is_what_ray_is_told(fake: PackageReader) -> None:
    options = ["--num-cpus", "2", "--memory-gb", "0", "--metadata", "a=b", "--env", "A=1"]
    assert submit("--no-wait", *options, *COMMAND).exit_code == 0
    (request,) = fake.submitted
    assert (request.num_cpus, request.metadata) == (2, {"a": "b"})
    assert request.runtime_env["env_vars"] == {
        "PYTHONUNBUFFERED": "1",
        "A": "1",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "NUMEXPR_NUM_THREADS": "2",
    }


def test_wheels_travel_in_the_package_and_are_asked_for(fake: PackageReader, tmp_path: Path) -> None:
    (tmp_path / "beta-0.1-py3-none-any.whl").write_bytes(b"x")
    assert submit("--no-wait", "--wheel", "beta-0.1-py3-none-any.whl", *COMMAND).exit_code == 0
    (wanted,) = fake.submitted[0].runtime_env["uv"]["packages"]
    assert wanted.removeprefix("${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/") in fake.names


def test_variables_are_never_told(fake: PackageReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "s3cret-one")
    fake.submits, fake.found = [JobsRefusal("no", why="bad: {'A': 's3cret-two', 'B': 's3cret-one'}")], [None]
    ran = submit("--env", "HF_TOKEN", "--env", "A=s3cret-two", *COMMAND)
    assert isinstance(ran.exception, DeployError)
    assert ran.exception.why == "bad: {'A': '***', 'B': '***'}"
    assert fake.submitted[0].runtime_env["env_vars"]["HF_TOKEN"] == "s3cret-one"
    assert "s3cret" not in ran.output


def test_the_same_id_again_attaches(fake: PackageReader) -> None:
    fake.found, fake.tails, fake.outputs = [RUNNING, FAILED], [["one\n"]], ["one\n"]
    ran = submit("--submission-id", "j", *COMMAND)
    assert (ran.exit_code, ran.stdout, fake.submitted) == (7, "one\n", [])
    assert "nothing to do: job j was submitted already, it is RUNNING" in ran.stderr


def test_the_same_id_after_the_end_reports_it(fake: PackageReader) -> None:
    fake.found, fake.tails = [FAILED], [[AssertionError("followed")]]
    ran = submit("--submission-id", "j", *COMMAND)
    assert (ran.exit_code, ran.stdout, fake.submitted) == (7, "", [])


def test_json_is_one_document(fake: PackageReader) -> None:
    fake.found, fake.tails, fake.outputs = [FAILED], [["one\n"]], ["one\n"]
    ran = submit("--json", *COMMAND)
    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["status"], told["exit_code"]) == (7, "FAILED", 7)
    assert "one\n" in ran.stderr
    assert json.loads(submit("--json", "--no-wait", *COMMAND).stdout)["submission_id"] == fake.submitted[-1].id


def test_ctrl_c_without_a_terminal_leaves_the_job_alone(fake: PackageReader) -> None:
    fake.found, fake.tails = [KeyboardInterrupt()], [["one\n", HANG]]
    ran = submit(*COMMAND)
    assert (ran.exit_code, fake.stopped) == (130, [])
    assert f"jobs logs --follow {fake.submitted[0].id}" in ran.stderr


@pytest.mark.parametrize(
    ("answer", "exit_code", "stopped"), [("d", 130, 0), ("\n", 130, 0), ("s", 143, 1), ("c", 143, 0), ("", 130, 0)]
)
def test_ctrl_c_on_a_terminal_asks(
    fake: PackageReader, monkeypatch: pytest.MonkeyPatch, answer: str, exit_code: int, stopped: int
) -> None:
    fake.tails = [["one\n", HANG], ["one\n"]]
    fake.found = [KeyboardInterrupt(), *([RUNNING] if answer == "s" else []), STOPPED]
    fake.outputs = ["one\n"]
    monkeypatch.setattr("cai_deploy.cli.watching.on_a_terminal", lambda: True)
    ran = CliRunner().invoke(submit_verb.command, COMMAND, input=answer)
    assert (ran.exit_code, len(fake.stopped), ran.stdout) == (exit_code, stopped, "one\n")


@pytest.mark.parametrize(
    "options", [["--resource", "a=x"], ["--resource", "a"], ["--metadata", "=b"], ["--env", "?"], ["--wheel", "no.whl"]]
)
def test_what_cannot_be_is_refused_before_anything_is_sent(fake: PackageReader, options: list[str]) -> None:
    ran = submit(*options, *COMMAND)
    assert isinstance(ran.exception, DeployError)
    assert (ran.exception.exit_code, fake.submitted) == (2, [])


def test_options_of_the_command_are_its_own(fake: PackageReader) -> None:
    submit("--no-wait", "python", "x", "--no-wait", "--json")
    assert fake.submitted[0].entrypoint == "python x --no-wait --json"


def test_jobs_are_listed(fake: PackageReader) -> None:
    fake.found = [
        Job("a", "SUCCEEDED", "x", started_ms=1000, ended_ms=62000),
        Job("b", "RUNNING", "y", started_ms=2000),
    ]
    lines = jobs("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "b", "a"]
    assert "1 min 1 s" in lines[2]
    assert [job["submission_id"] for job in json.loads(jobs("list", "--json").stdout)["jobs"]] == ["b", "a"]


def test_the_status_of_a_job(fake: PackageReader) -> None:
    fake.found = [FAILED]
    ran = jobs("status", "j")
    assert (ran.exit_code, ran.stdout) == (0, "FAILED\n")
    assert json.loads(jobs("status", "j", "--json").stdout)["driver_exit_code"] == 7
    fake.found = [None]
    assert isinstance(jobs("status", "j").exception, NoSuchJob)


def test_the_output_of_a_job(fake: PackageReader) -> None:
    fake.outputs, fake.found, fake.tails = ["all\n"], [FAILED], [["all\n"]]
    assert (jobs("logs", "j").stdout, jobs("logs", "j").exit_code) == ("all\n", 0)
    followed = jobs("logs", "-f", "j")
    assert (followed.stdout, followed.exit_code) == ("all\n", 7)


def test_stopping_a_job(fake: PackageReader) -> None:
    fake.found = [RUNNING, RUNNING, STOPPED]
    ran = jobs("stop", "j")
    assert (ran.exit_code, ran.stderr, fake.stopped) == (0, "job j STOPPED\n", ["j"])
    assert jobs("stop", "j").stderr == "nothing to do: job j STOPPED\n"
    assert fake.stopped == ["j"]
