"""What job scripts share, and the scripts themselves, run as a kernel runs them: no argv, no __file__."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.project import job

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arguments_come_from_the_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = job.Arguments(prog="x")
    parser.add_argument("--ref")
    monkeypatch.setenv("JOB_ARGUMENTS", "--ref 'two words'")
    assert parser.parse_job_arguments().ref == "two words"


@pytest.mark.parametrize("arguments", ["--unknown", "--help"])
def test_a_parser_never_exits(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ARGUMENTS", arguments)
    with pytest.raises(ConfigError, match="JOB_ARGUMENTS"):
        job.Arguments(prog="x").parse_job_arguments()


def test_a_known_failure_is_told_and_raised(project: Path) -> None:
    def work(tell: object) -> None:
        raise DeployError("it broke", why="because", next_step="mend it")

    with pytest.raises(job.JobFailed, match="it broke"):
        job.run("x", work)
    assert (project / layout.job_log_file("x")).read_text() == "error: it broke\nbecause\nhint: mend it\n"


def test_an_unknown_failure_is_in_the_log_too(project: Path) -> None:
    def work(tell: object) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        job.run("x", work)
    assert "the disk is full" in (project / layout.job_log_file("x")).read_text()


def test_a_job_of_a_schedule_has_a_log_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(job.SCHEDULED, "cai-deploy-schedule-ray-start")
    job.run("deployer", lambda tell: tell("done"))
    assert (project / layout.job_log_file("cai-deploy-schedule-ray-start")).read_text() == "done\n"
    assert not (project / layout.job_log_file("deployer")).exists()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("git_sync.py", "error: this project has no repository"),
        ("watchdog.py", "JOB_ARGUMENTS: the following arguments are required"),
        ("deployer.py", "error: no environment is ready in this project"),
        ("setup_environment.py", "JOB_ARGUMENTS: the following arguments are required"),
        ("launch_ray_cluster.py", "error: no environment is ready in this project"),
    ],
)
def test_a_script_without_what_it_needs_fails_by_raising(script: str, told: str, project: Path) -> None:
    (project / "cai_deploy").symlink_to(REPOSITORY / "cai_deploy")
    text = (REPOSITORY / "jobs" / script).read_text()
    done = subprocess.run(
        [sys.executable, "-S", "-c", text], cwd=project, env={}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert told in done.stdout
    assert "JobFailed" in done.stderr
