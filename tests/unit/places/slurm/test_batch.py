"""What is wanted of a node -> the batch script, golden."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm.batch import UNSHARED, NodeJob, Submission, render_script
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.slurm_options import SlurmOptions

GOLDEN = Path(__file__).parent / "golden"

HEAD = NodeJob(
    mark=Mark("ray", owner_of("/shared/ray"), "head", "head", "0123456789abcdef"),
    cpu=2,
    memory_gb=4,
    gpu=0,
    options=SlurmOptions(),
    directory="/shared/ray",
    output=".cai-deploy/clusters/ray/logs/head.slurm-%j.log",
    command=["python3", "ray_head_launcher.py"],
    variables={"CAI_DEPLOY_NODE": "head", "CAI_DEPLOY_CLUSTER": "ray"},
)
FULL = replace(
    HEAD,
    mark=Mark("ray", owner_of("/shared/ray"), "big-0", "big", "0123456789abcdef"),
    cpu=3.5,
    memory_gb=0.3,
    gpu=2,
    options=SlurmOptions(
        partition="gpu,gpu-long",
        time="1-12:00:00",
        account="lab",
        qos="high",
        constraint="a100|h100",
        reservation="course",
        warning=300,
        requeue=False,
        export=("MODULEPATH", "LANG"),
        extra={"exclusive": True, "nice": 10, "exclude": "n[1-3]", "licenses": 'odd "name" #1'},
    ),
    directory="/shared/it's 100% mine",
    command=["python3", "ray big.py"],
    variables={"MOTTO": "it's $HOME; `date`"},
)


@pytest.mark.parametrize(("name", "job"), [("head", HEAD), ("full", FULL)])
def test_golden(name: str, job: NodeJob) -> None:
    """After a change that is meant: write the new text into golden/ and read the difference."""
    assert render_script(job) == (GOLDEN / f"{name}.sh.txt").read_text(encoding="utf-8")


def test_equal_wishes_give_equal_text_whatever_the_submission() -> None:
    later = replace(HEAD, mark=replace(HEAD.mark, epoch=9, ticket="t", fingerprint="f"))
    assert render_script(later) == render_script(HEAD)


def test_gres_that_somebody_wrote_counts_for_more_than_the_number_of_gpus() -> None:
    job = replace(FULL, options=SlurmOptions(gres="gpu:a100:1", mem="0"))
    assert "#SBATCH --gres=gpu:a100:1\n" in render_script(job)
    assert "gpu:2" not in render_script(job)
    assert "#SBATCH --mem=0\n" in render_script(job)


def test_no_warning_is_none_at_all() -> None:
    assert "--signal" not in render_script(replace(HEAD, options=SlurmOptions(warning=0)))


@pytest.mark.parametrize("directory", ["relative", "", "/shared/ray\n#SBATCH --uid=0"])
def test_a_directory_that_no_script_can_name(directory: str) -> None:
    with pytest.raises(ConfigError):
        render_script(replace(HEAD, directory=directory))


def test_the_script_becomes_the_program_in_the_directory_with_the_variables(tmp_path: Path) -> None:
    directory = tmp_path / 'it\'s 100% "mine" $HOME'
    directory.mkdir()
    job = replace(
        FULL,
        directory=str(directory),
        command=["sh", "-c", 'echo "$$ $MOTTO"; pwd; exit 7'],
    )
    script = tmp_path / "job.sh"
    script.write_text(render_script(job), encoding="utf-8")
    bash = subprocess.Popen([shutil.which("bash") or "bash", str(script)], stdout=subprocess.PIPE, text=True)
    told, _ = bash.communicate(timeout=20)
    assert bash.returncode == 7
    assert told.splitlines() == [f"{bash.pid} it's $HOME; `date`", str(directory)]


def test_a_machine_without_the_file_system_says_so(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(render_script(replace(HEAD, directory=str(tmp_path / "no $(touch x)"))), encoding="utf-8")
    done = subprocess.run(["bash", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == UNSHARED
    assert "file system" in done.stderr
    assert "no $(touch x)" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_submission_names_the_job_and_carries_its_mark() -> None:
    argv = Submission(Path("head.sh"), HEAD.mark).argv("ticket")
    assert argv[:3] == ["sbatch", "--parsable", "--job-name=ray-head"]
    assert argv[3] == f"--comment={replace(HEAD.mark, ticket='ticket').comment()}"
    assert argv[4:] == ["head.sh"]
