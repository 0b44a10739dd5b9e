"""What Slurm's commands answer, from 22.05 on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cai_deploy.places.slurm import marks
from cai_deploy.places.slurm.answers import (
    Exit,
    Job,
    read_history,
    read_job_id,
    read_partitions,
    read_queue,
    read_settings,
)
from cai_deploy.places.slurm.errors import UnreadableAnswer
from cai_deploy.state import NodeState
from tests.unit.places.slurm.captured import as_in_23_02, as_in_24_05, queue, said


def jobs(data: dict[str, Any]) -> dict[str, Job]:
    return {f"{job.name}-{job.job_id}": job for job in read_queue(json.dumps(data)).jobs}


@pytest.fixture
def seen() -> dict[str, Job]:
    return jobs(queue())


def test_states_and_reasons_of_real_jobs(seen: dict[str, Job]) -> None:
    told = {name: (job.standing.state.value, job.standing.waiting_helps, job.over) for name, job in seen.items()}
    assert told == {
        "ray-head-1": ("stopped", False, True),
        "s.sh-2": ("stopped", False, True),
        "s.sh-13": ("failed", False, True),
        "ray-head-26": ("running", False, False),
        "ray-worker-0-27": ("running", False, False),
        "ray-worker-1-28": ("pending", True, False),
        "done-29": ("stopped", False, True),
        "seven-30": ("failed", False, True),
        "held-31": ("pending", False, False),
        "later-32": ("pending", True, False),
        "after-34": ("pending", True, False),
        "shut-35": ("pending", True, False),
        "long-36": ("pending", False, False),
        "large-37": ("pending", False, False),
        "quota-38": ("pending", True, False),
        "rows-39": ("pending", True, False),
        "rows-42": ("running", False, False),
    }


def test_how_real_jobs_ended(seen: dict[str, Job]) -> None:
    assert seen["seven-30"].exit_code == Exit(status=7)
    assert seen["done-29"].exit_code == Exit(status=0)
    assert seen["s.sh-2"].exit_code == Exit(signal=15)


def test_an_array_is_one_job_and_each_task_that_runs_another(seen: dict[str, Job]) -> None:
    waiting, running = seen["rows-39"], seen["rows-42"]
    assert (waiting.array_job_id, waiting.array_task_id, waiting.array_task_string) == (39, None, "1-3")
    assert (running.array_job_id, running.array_task_id, running.nodes) == (39, 0, "n1")


def test_marks_come_back_from_the_queue(seen: dict[str, Job]) -> None:
    found = marks.ours(seen.values(), "ray", "0123456789abcdef")
    assert [(mark.node, mark.epoch, mark.ticket, job.job_id) for mark, job in found] == [
        ("head", 3, "a1b2c3d4", 26),
        ("worker-0", 3, "a1b2c3d4", 27),
        ("worker-1", 3, "a1b2c3d4", 28),
    ]


@pytest.mark.parametrize("newer", [as_in_23_02, as_in_24_05])
def test_newer_shapes_say_the_same(newer: Callable[[dict[str, Any]], dict[str, Any]], seen: dict[str, Job]) -> None:
    data = queue()
    assert jobs({"jobs": [newer(job) for job in data["jobs"]], "errors": [], "warnings": []}) == seen


def test_a_base_and_its_flags_in_one_list() -> None:
    ending = {"job_id": 1, "job_state": ["CANCELLED", "COMPLETING"]}
    assert Job.model_validate(ending).standing.state is NodeState.STOPPING


def test_no_limit_is_none() -> None:
    limit = {"set": False, "infinite": True, "number": 0}
    assert Job.model_validate({"job_id": 1, "time_limit": limit}).time_limit is None
    assert (
        Job.model_validate({"job_id": 1, "time_limit": {"set": True, "infinite": True, "number": 0}}).time_limit is None
    )


def test_a_silent_controller_is_no_empty_queue() -> None:
    answer = read_queue(said("squeue-22.05-controller-down.json"))
    assert answer.jobs == ()
    assert [(fault.error_number, fault.error) for fault in answer.errors] == [(-1, "Unspecified error")]


@pytest.mark.parametrize("text", ["", "squeue: unrecognized option", "[]", '{"jobs": [{}]}', '{"jobs": 3}'])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read_queue(text)


def test_the_history_of_real_jobs() -> None:
    told = {job.job_id: job for job in read_history(said("sacct-22.05.json")).jobs}
    assert {number: job.standing.state.value for number, job in told.items()} == {
        19: "stopped",
        24: "stopped",
        25: "failed",
        27: "stopped",
    }
    assert told[27].name == "ray-worker-0"
    assert told[27].time_limit == 60
    assert (told[27].end_time or 0) >= (told[27].start_time or 0) > 1_000_000_000
    assert told[19].exit_code == Exit(signal=9)


def test_an_end_that_the_history_tells_wrongly_is_not_believed() -> None:
    """22.05 tells SUCCESS and 0 of a script that ended with 3."""
    told = {job.job_id: job for job in read_history(said("sacct-22.05.json")).jobs}
    assert told[25].exit_code == Exit()


def test_the_history_in_the_shape_of_newer_versions() -> None:
    job = {
        "job_id": 7,
        "name": "ray-head",
        "comment": {"administrator": "", "job": "{}", "system": ""},
        "state": {"current": ["FAILED"], "reason": "None"},
        "time": {"end": 20, "start": 10, "submission": 5, "limit": {"set": True, "infinite": False, "number": 60}},
        "array": {"job_id": 0, "task_id": {"set": False, "infinite": False, "number": 0}},
        "exit_code": {"status": ["ERROR"], "return_code": {"set": True, "infinite": False, "number": 3}},
    }
    (told,) = read_history(json.dumps({"jobs": [job], "errors": []})).jobs
    assert (told.comment, told.job_state, told.time_limit, told.exit_code) == ("{}", ("FAILED",), 60, Exit(status=3))


def test_partitions() -> None:
    told = read_partitions(said("sinfo-22.05.txt"))
    assert [(each.name, each.up, each.time_limit) for each in told] == [
        ("main", True, "infinite"),
        ("short", True, "10:00"),
        ("down", False, "infinite"),
    ]


def test_a_partition_of_machines_in_several_states_is_one() -> None:
    (told,) = read_partitions("gpu*|up|1-00:00:00|3|idle\ngpu*|up|1-00:00:00|1|down*\n\ngpu*|up|1-00:00:00|2|idle~\n")
    assert (told.name, told.default, told.nodes) == ("gpu", True, {"idle": 5, "down": 1})


def test_a_partition_without_machines() -> None:
    (told,) = read_partitions("new|up|infinite|0|n/a\n")
    assert told.nodes == {}


def test_partitions_that_are_none() -> None:
    with pytest.raises(UnreadableAnswer):
        read_partitions("slurm_load_partitions: Unable to contact slurm controller\n")


def test_settings() -> None:
    text = "Configuration data as of 2026-11-21T12:00:00\nMinJobAge   = 600 sec\nAuthInfo = socket=/run/m.sock\n\nx\n"
    assert read_settings(text) == {"MinJobAge": "600 sec", "AuthInfo": "socket=/run/m.sock"}


@pytest.mark.parametrize("text", ["42\n", "42;cluster\n", "note: use less memory\n42\n"])
def test_the_number_of_a_new_job(text: str) -> None:
    assert read_job_id(text) == 42


@pytest.mark.parametrize("text", ["", "Submitted batch job 42\n"])
def test_no_number(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read_job_id(text)
