"""What Slurm's commands answer, as small models that take the shapes of all versions from 22.05 on. Pure.

The same field is a number in one version and ``{"set": …, "infinite": …, "number": …}`` in the next, a state is a word
or a list of words, an exit code the kernel's wait status or an object. Only the fields that we use are read, and what
is not there has a value that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from cai_deploy.places.slurm.errors import UnreadableAnswer
from cai_deploy.places.slurm.states import ENDS, Standing, standing

NOTHING_FOUND = frozenset({2017, 9003})
"""Slurm's own numbers for there being no such job (ESLURM_INVALID_JOB_ID, ESLURM_REST_EMPTY_RESULT)."""

SIGNAL_BITS = 0x7F

WAITED_FOR = re.compile(r"afterany:(\d+)")
"""In a job's dependency, which newer versions complete with how it stands."""


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("number") if value.get("set") and not value.get("infinite") else None
    return value


def _words(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _text(value: Any) -> Any:
    return "" if value is None else value


Number = Annotated[int | None, BeforeValidator(_number)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Text = Annotated[str, BeforeValidator(_text)]


class Part(BaseModel):
    """Common behaviour: what is new in a version is no error."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Exit(Part):
    """How a job's script ended: with a ``status``, or by a ``signal``."""

    status: int | None = None
    signal: int | None = None


def _exit(value: Any) -> Any:
    """The kernel's wait status of older versions, bare or as a number object; the object of newer ones."""
    if isinstance(value, dict) and "return_code" in value:
        signal = value.get("signal") or {}
        number = _number(signal.get("id", signal.get("signal_id")))
        return {"status": _number(value["return_code"]), "signal": number or None}
    raw = _number(value)
    if not isinstance(raw, int):
        return {}
    signal_number = raw & SIGNAL_BITS
    return {"status": None, "signal": signal_number} if signal_number else {"status": raw >> 8}


class Job(Part):
    """One job as Slurm shows it. Times are seconds since 1970, None or 0 while there is none; the limit is minutes.

    A waiting array is one job, with its tasks in ``array_task_string``; a task that runs is a job of its own, of which
    ``array_job_id`` is the array.
    """

    job_id: int
    name: Text = ""
    comment: Text = ""
    job_state: Words = ()
    state_reason: Text = ""
    partition: Text = ""
    dependency: Text = ""
    user_name: Text = ""
    nodes: Text = ""
    batch_host: Text = ""
    standard_output: Text = ""
    array_job_id: Number = None
    array_task_id: Number = None
    array_task_string: Text = ""
    submit_time: Number = None
    start_time: Number = None
    end_time: Number = None
    time_limit: Number = None
    restart_cnt: Number = None
    exit_code: Annotated[Exit, BeforeValidator(_exit)] = Exit()

    @property
    def standing(self) -> Standing:
        """How it stands, in our words."""
        return standing(self.job_state, self.state_reason)

    @property
    def over(self) -> bool:
        """Whether it has ended, and nothing of it is left."""
        return self.standing.state in ENDS

    @property
    def waits_for(self) -> frozenset[int]:
        """The jobs without whose end it does not begin, as far as they have not ended."""
        return frozenset(int(number) for number in WAITED_FOR.findall(self.dependency))


class Fault(Part):
    """An error that stands in an answer which may otherwise look like an empty one."""

    error_number: Number = None
    error: Text = ""
    description: Text = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.description, self.error))) or f"error {self.error_number}"


class JobsAnswer(Part):
    """What ``squeue --json`` says. ``errors`` come with status 0 and no jobs: such an answer is not an empty queue."""

    jobs: tuple[Job, ...] = ()
    errors: tuple[Fault, ...] = ()


def read_queue(text: str) -> JobsAnswer:
    """The answer of ``squeue --json``. Raises UnreadableAnswer."""
    return _validated("squeue --json", _object("squeue --json", text))


def read_history(text: str) -> JobsAnswer:
    """The answer of ``sacct --json``, whose jobs have other fields. Raises UnreadableAnswer."""
    data = _object("sacct --json", text)
    jobs = [_as_queued(job) for job in data.get("jobs") or () if isinstance(job, dict)]
    return _validated("sacct --json", {"jobs": jobs, "errors": data.get("errors") or ()})


def _as_queued(job: dict[str, Any]) -> dict[str, Any]:
    """A job of the history with the names that the queue has for its fields."""
    state, time, array = (job.get(name) or {} for name in ("state", "time", "array"))
    words = _words(state.get("current") or ())
    ended = job.get("exit_code") or {}
    # 22.05 tells SUCCESS and 0 of every job, however it ended.
    believed = ended if "COMPLETED" in words or _exit(ended).get("status") != 0 else None
    return {
        "job_id": job.get("job_id"),
        "name": job.get("name"),
        "comment": (job.get("comment") or {}).get("job"),
        "job_state": words,
        "state_reason": state.get("reason"),
        "partition": job.get("partition"),
        "user_name": job.get("user"),
        "nodes": job.get("nodes"),
        "array_job_id": array.get("job_id"),
        "array_task_id": array.get("task_id"),
        "submit_time": time.get("submission"),
        "start_time": time.get("start"),
        "end_time": time.get("end"),
        "time_limit": time.get("limit"),
        "exit_code": believed,
    }


class Partition(Part):
    """A partition. ``time_limit`` is in Slurm's notation; ``nodes`` counts its machines by their state."""

    name: str
    default: bool
    up: bool
    time_limit: str
    nodes: dict[str, int]


PARTITION_FORMAT = "%P|%a|%l|%D|%T"


def read_partitions(text: str) -> tuple[Partition, ...]:
    """The answer of ``sinfo --noheader --format=%P|%a|%l|%D|%T``: a line for each partition and state of machines.

    These columns are older than its JSON, which has another shape in nearly every version. Raises UnreadableAnswer.
    """
    found: dict[str, Partition] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        try:
            told, available, limit, count, state = line.split("|")
            nodes = {state.rstrip("*~#!%$@^-+"): int(count)} if int(count) else {}
        except ValueError as error:
            raise UnreadableAnswer("sinfo", f"{line!r}: {error}") from error
        name = told.removesuffix("*")
        before = found[name].nodes if name in found else {}
        merged = {word: before.get(word, 0) + nodes.get(word, 0) for word in (*before, *nodes)}
        found[name] = Partition(name=name, default=told != name, up=available == "up", time_limit=limit, nodes=merged)
    return tuple(found.values())


def read_settings(text: str) -> dict[str, str]:
    """The answer of ``scontrol show config``, as its names and values."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_job_id(text: str) -> int:
    """The answer of ``sbatch --parsable``: the job's number, with the cluster's name behind it where there are several.

    A site's own plugins may print lines before it. Raises UnreadableAnswer.
    """
    lines: Iterable[str] = (line.strip().partition(";")[0] for line in text.splitlines())
    numbers = [line for line in lines if line.isdecimal()]
    if not numbers:
        raise UnreadableAnswer("sbatch --parsable", f"there is no job's number in {text[:200]!r}")
    return int(numbers[-1])


def _object(command: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UnreadableAnswer(command, f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UnreadableAnswer(command, f"it holds a {type(data).__name__}")
    return data


def _validated(command: str, data: dict[str, Any]) -> JobsAnswer:
    try:
        return JobsAnswer.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableAnswer(command, f"{where}: {first['msg']}") from error
