"""``slurm run``, ``slurm list`` and ``connect --slurm`` as a person meets them, with a queue that is played."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cai_deploy import layout
from cai_deploy.cli import slurm as slurm_verb
from cai_deploy.cli import slurm_connecting, slurm_head, slurm_list
from cai_deploy.cli.connect import command as connect
from cai_deploy.cli.slurm_following import exit_code, follow
from cai_deploy.cli.slurm_head import running_head
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import DeployError, PlaceUnreachable
from cai_deploy.places.slurm.answers import Exit, Job
from cai_deploy.places.slurm.batch import Submission
from cai_deploy.places.slurm.errors import ControllerSilent, SlurmRefused
from cai_deploy.places.slurm.head_jobs import HeadNotReady, NoSuchHead
from cai_deploy.places.slurm.marks import Mark, owner_of

HEAD_SCRIPT = "export CAI_DEPLOY_ENVIRONMENT=e1\n"


class Time:
    """Seconds that pass when somebody waits, and what happens meanwhile."""

    def __init__(self, *happens: Callable[[], None]) -> None:
        self.waited = 0.0
        self._happens = list(happens)

    def now(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        if self._happens:
            self._happens.pop(0)()


class Jobs:
    """A queue with some jobs."""

    def __init__(self, *jobs: Job) -> None:
        self.known = {job.job_id: job for job in jobs}
        self.submitted: list[Submission] = []
        self.refusal: DeployError | None = None

    def job(self, job_id: int) -> Job | None:
        return self.known.get(job_id)

    def jobs(self) -> tuple[Job, ...]:
        return tuple(self.known.values())

    def submit(self, submission: Submission) -> int:
        if self.refusal:
            raise self.refusal
        self.submitted.append(submission)
        return 100 + len(self.submitted)

    def becomes(self, job_id: int, *state: str, reason: str = "") -> None:
        changes = {"job_state": state, "state_reason": reason}
        self.known[job_id] = self.known[job_id].model_copy(update=changes)


@pytest.fixture
def gcs() -> Iterator[str]:
    """Where the head's GCS listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def info(gcs: str) -> ConnectionInfo:
    return ConnectionInfo(
        "ray", 3, "127.0.0.1", gcs, "127.0.0.1:12003", "127.0.0.1:12014", "", "2.60.0", "3.11.7",
        "2026-11-21T11:00:00+00:00", token_path=".cai-deploy/clusters/ray/token",
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, info: ConnectionInfo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a cluster whose head is job 17."""
    put(tmp_path / layout.job_script_file("ray", "head"), HEAD_SCRIPT)
    put(tmp_path / layout.environment_ready_file("e1"), "{}")
    put(tmp_path / "train.py", "")
    announce(tmp_path, info)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def queue(project: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(node(project, "head", 17))
    for module in (slurm_verb, slurm_connecting, slurm_list):
        monkeypatch.setattr(module, "Queue", lambda: jobs)
    return jobs


def announce(project: Path, info: ConnectionInfo) -> None:
    told = {**asdict(info), "job_id": 17, "head_node": "n1", "port_offset": 12000}
    put(project / layout.head_job_file("ray", 17), json.dumps(told))


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def node(project: Path, name: str, job_id: int) -> Job:
    group = name.partition("-")[0]
    mark = Mark("ray", owner_of(str(project)), name, group, "f")
    return Job(job_id=job_id, name=mark.job_name, comment=mark.comment(), job_state=("RUNNING",), nodes="n1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(slurm_verb.command, ["run", *arguments])


def test_the_jobs_number_is_the_answer(queue: Jobs) -> None:
    done = run("17", "-c", "2", "--time=1:00:00", "train.py", "--follow", "--time=5", "-x")
    assert done.exit_code == 0, done.output
    assert done.stdout == "101\n"
    assert "client-101" in done.stderr
    text = queue.submitted[0].script.read_text()
    assert """'["python", "train.py", "--follow", "--time=5", "-x"]'""" in text
    assert "#SBATCH --time=1:00:00\n" in text
    assert "#SBATCH --cpus-per-task=2\n" in text


def test_several_on_one_head(queue: Jobs) -> None:
    told = [json.loads(run("17", "--json", "train.py", str(seed)).stdout) for seed in range(3)]
    assert [each["node"] for each in told] == ["client-101", "client-102", "client-103"]
    assert len({each["output"] for each in told}) == 3


def test_what_slurm_refuses_leaves_no_script(queue: Jobs, project: Path) -> None:
    queue.refusal = SlurmRefused("Slurm does not take the job", "its own words")
    refused = run("17", "train.py").exception
    assert refused is queue.refusal
    assert not list((project / layout.job_script_file("ray", "x")).parent.glob("client*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["17", "away.py"], "no script away.py"),
        (["17", "--mem=1G"], "no script to run"),
        (["17", "--output=o", "train.py"], "options of sbatch"),
        (["18", "train.py"], "no job 18"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_submitted(queue: Jobs, arguments: list[str], told: str) -> None:
    refused = run(*arguments).exception
    assert isinstance(refused, DeployError)
    assert told in refused.what
    assert not queue.submitted


def test_a_head_that_is_out_of_reach(queue: Jobs, project: Path, info: ConnectionInfo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    announce(project, replace(info, gcs_address=address))
    refused = run("17", "train.py").exception
    assert isinstance(refused, PlaceUnreachable)
    assert "--no-network-check" in refused.next_step
    assert run("17", "--no-network-check", "train.py").exit_code == 0


def test_a_head_that_ends_its_cluster_takes_no_clients(queue: Jobs, project: Path, info: ConnectionInfo) -> None:
    announce(project, replace(info, warned_at="2026-11-21T12:00:00+00:00", successor="18"))
    assert "job 18 goes on from it" in run("17", "train.py").stderr
    announce(project, replace(info, ended_at="2026-11-21T12:00:00+00:00", ended_why="nobody used it"))
    ended = run("17", "train.py").exception
    assert isinstance(ended, DeployError)
    assert ended.why == "nobody used it"


def test_a_head_that_is_still_starting_is_waited_for(queue: Jobs, project: Path, info: ConnectionInfo) -> None:
    file = project / layout.head_job_file("ray", 17)
    file.unlink()
    queue.becomes(17, "PENDING", reason="Resources")
    story: list[str] = []
    time = Time(
        lambda: None,
        lambda: queue.becomes(17, "RUNNING"),
        lambda: announce(project, info),
    )
    _, found = running_head(queue, 17, [project], 60, time, story.append)
    assert found.connection == info
    assert story == [
        "waiting for the head, job 17: it waits in the queue: what it asks for is in use",
        "waiting for the head, job 17: it runs, and has not said yet where it is",
    ]


def test_a_head_is_waited_for_so_long(queue: Jobs, project: Path) -> None:
    (project / layout.head_job_file("ray", 17)).unlink()
    time = Time()
    with pytest.raises(HeadNotReady) as late:
        running_head(queue, 17, [project], 30, time, lambda text: None)
    assert time.waited == 30
    assert "--patience" in late.value.next_step
    with pytest.raises(NoSuchHead):
        running_head(queue, 17, [project], 30, Time(lambda: queue.becomes(17, "CANCELLED")), lambda text: None)
    queue.becomes(17, "PENDING", reason="PartitionTimeLimit")
    with pytest.raises(DeployError, match="does not start"):
        running_head(queue, 17, [project], 30, Time(), lambda text: None)


def test_following_shows_all_and_knows_the_end(queue: Jobs, project: Path) -> None:
    output, written, story = project / "out", io.BytesIO(), list[str]()
    queue.known[101] = node(project, "client-0", 101)

    def write(text: str) -> None:
        with output.open("a") as file:
            file.write(text)

    time = Time(
        lambda: write("one\n"), lambda: write("two\n"), lambda: (write("three"), queue.becomes(101, "COMPLETED"))
    )
    ended = follow(queue, 101, output, time, say=story.append, write=written)
    assert written.getvalue() == b"one\ntwo\nthree"
    assert story == ["job 101: it runs"]
    assert exit_code(ended) == 0


def test_following_outlives_a_controller_that_is_away(
    queue: Jobs, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.known[101] = node(project, "client-0", 101)
    looks = iter([ControllerSilent("down"), None])

    def job(job_id: int) -> Job | None:
        if failed := next(looks, None):
            raise failed
        return queue.known[job_id]

    monkeypatch.setattr(queue, "job", job)
    story = list[str]()
    follow(
        queue, 101, project / "out", Time(lambda: queue.becomes(101, "FAILED")), say=story.append, write=io.BytesIO()
    )
    assert "does not answer" in story[0]


@pytest.mark.parametrize(
    ("state", "ended", "code"),
    [
        ("COMPLETED", Exit(status=0), 0),
        ("FAILED", Exit(status=7), 7),
        ("FAILED", Exit(signal=9), 137),
        ("CANCELLED", Exit(status=0), 143),
        ("TIMEOUT", Exit(status=0), 143),
        ("NODE_FAIL", Exit(status=0), 1),
    ],
)
def test_how_a_job_ended_as_a_status(state: str, ended: Exit, code: int) -> None:
    assert exit_code(Job(job_id=1, job_state=(state,)).model_copy(update={"exit_code": ended})) == code


def test_of_a_forgotten_job_nothing_good_is_assumed() -> None:
    assert exit_code(None) == 1


def test_heads_with_their_clients(queue: Jobs, project: Path) -> None:
    for job in (node(project, "worker-0", 18), node(project, "client-0", 19), node(Path("/other"), "client-0", 20)):
        queue.known[job.job_id] = job
    told = json.loads(CliRunner().invoke(slurm_verb.command, ["list", "--json"]).stdout)
    assert [(each["job_id"], each["clients"], each["state"]) for each in told["heads"]] == [(17, [19], "running")]
    assert "17" in CliRunner().invoke(slurm_verb.command, ["list"]).stdout
    queue.becomes(17, "COMPLETED")
    assert CliRunner().invoke(slurm_verb.command, ["list"]).stdout == ""


def test_a_shell_reads_where_the_head_is(queue: Jobs, project: Path, info: ConnectionInfo) -> None:
    done = CliRunner().invoke(connect, ["--slurm", "17", "--export"])
    assert done.exit_code == 0, done.output
    script = f"set -a\n{done.stdout}\nset +a\nenv"
    seen = subprocess.run(
        ["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    environ = dict(line.split("=", 1) for line in seen.stdout.splitlines())
    expected = {
        "RAY_ADDRESS": info.gcs_address,
        "RAY_HEAD_NODE": "n1",
        "RAY_HEAD_IP": "127.0.0.1",
        "RAY_GCS_PORT": info.gcs_address.partition(":")[2],
        "RAY_DASHBOARD_URL": "http://127.0.0.1:12014",
        "RAY_PORT_OFFSET": "12000",
        "SLURM_HEAD_JOB_ID": "17",
        "RAY_AUTH_TOKEN_PATH": str(project / info.token_path),
    }
    assert {name: environ.get(name) for name in expected} == expected


def test_where_the_head_is_for_people_and_programs(queue: Jobs, project: Path, info: ConnectionInfo) -> None:
    told = json.loads(CliRunner().invoke(connect, ["--slurm", "17", "--json"]).stdout)
    assert (told["job_id"], told["head_node"], told["port_offset"]) == (17, "n1", 12000)
    assert told["token_file"] == str(project / info.token_path)
    assert "slurm run 17 SCRIPT.py" in CliRunner().invoke(connect, ["--slurm", "17"]).stdout


@pytest.mark.parametrize(
    "arguments", [["--export"], ["--slurm", "17", "--tunnel"], ["--slurm", "17", "--export", "--json"]]
)
def test_ways_that_do_not_go_together(arguments: list[str]) -> None:
    refused = CliRunner().invoke(connect, arguments).exception
    assert isinstance(refused, DeployError)


def test_the_directory_of_the_specification_is_a_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert slurm_head.guesses(None) == [tmp_path, tmp_path]
    put(tmp_path / "cai-deploy.yaml", "{place: slurm, slurm: {directory: /shared/ray}}")
    assert slurm_head.guesses(None) == [Path("/shared/ray"), tmp_path]
