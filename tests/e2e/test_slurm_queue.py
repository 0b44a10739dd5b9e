"""The client of Slurm's queue against a real Slurm, which the tests bring along."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.batch import NodeJob, Submission, render_script
from cai_deploy.places.slurm.errors import ControllerSilent, InvalidPartition, SlurmRefused
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.state import NodeState
from tests.e2e.private_slurm import PrivateSlurm, missing, private_slurm
from tests.polling import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=f"needs Slurm: {', '.join(missing())} not found"),
]

WAITS = ("sleep", "600")

TELLS_OF_A_SIGNAL = ("sh", "-c", 'trap "echo warned > warned; exit 0" USR1; echo > ready; while :; do sleep 0.1; done')


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    with private_slurm() as running:
        yield running


@pytest.fixture
def queue(slurm: PrivateSlurm) -> Iterator[Queue]:
    queue = Queue(slurm.environ)
    yield queue
    queue.cancel(job.job_id for job in queue.jobs() if not job.over)
    eventually(lambda: all(job.over for job in queue.jobs()), seconds=60)


@pytest.fixture
def project(slurm: PrivateSlurm, request: pytest.FixtureRequest) -> Path:
    """What the cluster's machines share, one for each test."""
    directory = slurm.home / f"projects of {request.node.name}"
    directory.mkdir()
    return directory


def submission(
    project: Path, command: Sequence[str] = WAITS, *, node: str = "head", cluster: str = "ray", **options: object
) -> Submission:
    mark = Mark(cluster, owner_of(str(project)), node, node.rstrip("-0123456789"), "f" * 16, epoch=3)
    asked = SlurmOptions.model_validate(options)
    job = NodeJob(mark, 1, 0.05, 0, asked, str(project), f"{node}.log", command, {"WHO": f"it's {node}"})
    script = project / f"{cluster}-{node}.sh"
    script.write_text(render_script(job), encoding="utf-8")
    return Submission(script, mark, asked.partition or "", asked.account or "")


def there(queue: Queue, job_id: int) -> Job:
    job = queue.job(job_id)
    assert job, f"job {job_id} is not there"
    return job


def test_a_job_lives_and_is_cancelled(queue: Queue, project: Path) -> None:
    sent = submission(project, ("sh", "-c", 'echo "$WHO in $PWD"; exec sleep 600'), time="10")
    job_id = queue.submit(sent)
    job = eventually(lambda: _in(queue, job_id, NodeState.RUNNING), seconds=60)
    assert (job.name, job.nodes, job.partition, job.time_limit) == ("ray-head", "n1", "main", 10)
    ((mark, found),) = queue.of("ray", sent.mark.owner)
    assert (replace(mark, ticket=""), found.job_id) == (sent.mark, job_id)
    assert mark.ticket
    log = project / "head.log"
    eventually(lambda: log.exists() and log.read_text())
    assert log.read_text() == f"it's head in {project}\n"
    queue.cancel([job_id])
    ended = eventually(lambda: _in(queue, job_id, NodeState.STOPPED), seconds=60)
    assert ended.standing.sentence == "it was cancelled"
    queue.cancel([job_id])  # once more is no error


def test_how_a_job_ended_is_known_a_while_longer(queue: Queue, project: Path) -> None:
    job_id = queue.submit(submission(project, ("sh", "-c", "exit 3")))
    eventually(lambda: _in(queue, job_id, NodeState.FAILED), seconds=60)
    told = queue.history(job_id)
    assert told
    assert told.exit_code.status == 3
    assert queue.history(job_id + 1000) is None


def test_a_request_that_can_never_be_met_says_so(queue: Queue, project: Path) -> None:
    job_id = queue.submit(submission(project, node="big", time="60", partition="short"))
    waiting = eventually(lambda: _waits_for(queue, job_id, "PartitionTimeLimit"), seconds=60)
    assert waiting.standing.state is NodeState.PENDING
    assert not waiting.standing.waiting_helps
    assert "over the partition's limit" in waiting.standing.sentence


def test_a_closed_partition_is_waited_for(queue: Queue, project: Path) -> None:
    job_id = queue.submit(submission(project, partition="shut"))
    waiting = eventually(lambda: _waits_for(queue, job_id, "PartitionDown"), seconds=60)
    assert waiting.standing.waiting_helps
    assert {each.name: each.up for each in queue.partitions()} == {"main": True, "short": True, "shut": False}


def test_what_slurm_refuses(queue: Queue, project: Path) -> None:
    with pytest.raises(InvalidPartition) as nowhere:
        queue.submit(submission(project, partition="nope"))
    assert "main, short, shut" in nowhere.value.next_step
    with pytest.raises(SlurmRefused) as too_much:
        queue.submit(submission(project, mem="10T"))
    assert type(too_much.value) is SlurmRefused
    assert too_much.value.why
    owner = owner_of(str(project))
    assert all(job.over for _, job in queue.of("ray", owner))


def test_the_warning_before_the_time_limit_reaches_the_program(queue: Queue, project: Path) -> None:
    job_id = queue.submit(submission(project, TELLS_OF_A_SIGNAL, time="1", warning=45))
    eventually((project / "ready").exists, seconds=60)
    assert not (project / "warned").exists()
    eventually((project / "warned").exists, seconds=90)
    eventually(lambda: _in(queue, job_id, NodeState.STOPPED), seconds=60)
    assert there(queue, job_id).job_state == ("COMPLETED",)


def test_a_warning_by_hand(queue: Queue, project: Path) -> None:
    job_id = queue.submit(submission(project, TELLS_OF_A_SIGNAL))
    eventually((project / "ready").exists, seconds=60)
    queue.warn(job_id)
    eventually((project / "warned").exists, seconds=30)


def test_nodes_of_several_clusters_and_other_peoples_arrays(queue: Queue, slurm: PrivateSlurm, project: Path) -> None:
    sent = {node: queue.submit(submission(project, node=node)) for node in ("head", "worker-0", "worker-1")}
    queue.submit(submission(project, cluster="other"))
    slurm.command("sbatch", "--array=0-2", "--mem=10M", "--job-name=ray-head", "--output=/dev/null", "--wrap=sleep 600")
    owner = owner_of(str(project))
    assert {mark.node: job.job_id for mark, job in queue.of("ray", owner)} == sent
    assert [mark.node for mark, _ in queue.of("other", owner)] == ["head"]
    assert queue.of("ray", owner_of("/elsewhere")) == []
    queue.cancel(sent.values())
    eventually(lambda: all(job.over for _, job in queue.of("ray", owner)), seconds=60)
    assert any(not job.over for job in queue.jobs() if job.array_job_id), "the array went with it"


def test_an_answer_that_got_lost_does_not_make_a_second_job(queue: Queue, slurm: PrivateSlurm, project: Path) -> None:
    sent = submission(project)
    hasty = _with_sbatch(slurm, project, 'sbatch "$@" >/dev/null; exec sleep 600')
    job_id = hasty.submit(sent)
    assert [job.job_id for _, job in queue.of("ray", sent.mark.owner)] == [job_id]


def test_a_request_that_got_lost_is_sent_again(queue: Queue, slurm: PrivateSlurm, project: Path) -> None:
    sent = submission(project)
    once = 'if mkdir lost 2>/dev/null; then exec sleep 600; fi; exec sbatch "$@"'
    hasty = _with_sbatch(slurm, project, f"cd '{project}'; {once}")
    job_id = hasty.submit(sent)
    assert [job.job_id for _, job in queue.of("ray", sent.mark.owner)] == [job_id]


def test_a_controller_that_is_away_is_no_empty_queue(queue: Queue, slurm: PrivateSlurm, project: Path) -> None:
    sent = submission(project)
    job_id = queue.submit(sent)
    slurm.stop_controller()
    try:
        with pytest.raises(ControllerSilent):
            queue.jobs()
        with pytest.raises(ControllerSilent):
            queue.submit(submission(project, node="worker-0"))
    finally:
        slurm.start_controller()
    eventually(lambda: _answers(queue), seconds=60)
    assert [job.job_id for _, job in queue.of("ray", sent.mark.owner)] == [job_id]


def test_slurm_tells_of_itself(queue: Queue) -> None:
    assert queue.settings()["ClusterName"] == "private"
    assert not queue.keeps_accounts()
    assert queue.accounts() == frozenset()


def _in(queue: Queue, job_id: int, state: NodeState) -> Job | None:
    job = there(queue, job_id)
    return job if job.standing.state is state else None


def _waits_for(queue: Queue, job_id: int, reason: str) -> Job | None:
    job = there(queue, job_id)
    return job if job.state_reason == reason else None


def _answers(queue: Queue) -> bool:
    try:
        queue.jobs()
    except ControllerSilent:
        return False
    return True


def _with_sbatch(slurm: PrivateSlurm, directory: Path, script: str) -> Queue:
    """A queue with little patience, whose ``sbatch`` is a script around the real one."""
    programs = directory / "bin"
    programs.mkdir()
    false = programs / "sbatch"
    false.write_text(f'#!/bin/bash\nPATH="${{PATH#*:}}"\n{script}\n', encoding="utf-8")
    false.chmod(false.stat().st_mode | stat.S_IXUSR)
    return Queue({**slurm.environ, "PATH": f"{programs}:{os.environ['PATH']}"}, patience=8)
