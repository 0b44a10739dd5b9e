"""What a specification may ask of Slurm, for a cluster and for a group's jobs, as values.

Pure, and below the specification, which holds it. What a node is (its CPUs, memory,
GPUs) stays with the group; what a job is for us (its name, its comment, where it writes) is never a person's to say.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from cai_deploy import daily_window
from cai_deploy.spec_texts import CONTROL, Directory, Line

WHAT_THE_AGENT_NEEDS = (
    "comment",
    "export-file",
    "get-user-env",
    "input",
    "job-name",
    "open-mode",
    "output",
    "error",
    "chdir",
    "signal",
)
WHAT_A_NODE_IS = (
    "array",
    "batch",
    "clusters",
    "cpus-per-task",
    "hold",
    "immediate",
    "mem",
    "nodes",
    "ntasks",
    "ntasks-per-node",
    "uid",
    "gid",
)
WHAT_SBATCH_DOES = ("help", "parsable", "quiet", "test-only", "usage", "verbose", "version", "wait", "wrap")
OURS = frozenset((*WHAT_THE_AGENT_NEEDS, *WHAT_A_NODE_IS, *WHAT_SBATCH_DOES))
"""Options of sbatch on which a node's job depends, or which would have sbatch do something else than submit one."""

FIELDS = frozenset({"partition", "time", "account", "qos", "constraint", "gres", "reservation", "requeue", "export"})
"""Options that have a key of their own here."""

Value = Line | int | bool
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

TIME = re.compile(
    r"(?P<minutes>\d+)|(?P<m>\d+):(?P<s>\d+)|(?P<h>\d+):(?P<hm>\d+):(?P<hs>\d+)"
    r"|(?P<d>\d+)-(?P<dh>\d+)(:(?P<dm>\d+)(:(?P<ds>\d+))?)?"
)
UNLIMITED = ("UNLIMITED", "INFINITE")


class SlurmOptions(BaseModel):
    """Options of ``sbatch`` for the jobs of a cluster, or of one group.

    ``warning`` is how many seconds before its time limit a job gets SIGUSR1. ``export`` is what of the submitter's
    variables a job sees: none of them, all, or those named. ``extra`` takes any other long option without its dashes;
    ``true`` stands for one without a value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    partition: Line | None = None
    time: Line | None = None
    account: Line | None = None
    qos: Line | None = None
    constraint: Line | None = None
    gres: Line | None = None
    reservation: Line | None = None
    mem: Annotated[str, StringConstraints(pattern=r"^\d+[KMGT]?$")] | None = None
    warning: Annotated[int, Field(ge=0, le=65_535)] = 120
    requeue: bool = True
    export: Literal["none", "all"] | tuple[Variable, ...] = "none"
    extra: dict[str, Value] = Field(default_factory=dict)

    @field_validator("time", mode="before")
    @classmethod
    def _written_as_text(cls, time: Any) -> Any:
        if isinstance(time, (int, float)):
            raise ValueError(  # noqa: TRY004 (pydantic tells ValueErrors to people)
                'put the time in quotes ("4:00:00"): without them YAML reads 4:00:00 as the number 14400'
            )
        return time

    @field_validator("time")
    @classmethod
    def _a_time(cls, time: str | None) -> str | None:
        if time is not None:
            seconds_of(time)
        return time

    @field_validator("partition", "account", "qos", "constraint", "gres", "reservation")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        if text is not None and CONTROL.search(text):
            raise ValueError("a value is one line without control characters")
        return text

    @field_validator("extra")
    @classmethod
    def _only_what_is_left(cls, extra: dict[str, Value]) -> dict[str, Value]:
        for name, value in extra.items():
            if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
                raise ValueError(f"{name!r} is not a long option of sbatch; write it without its dashes")
            # sbatch takes the beginning of an option for the option.
            if any(field.startswith(name) for field in (*FIELDS, "no-requeue")):
                raise ValueError(f"{name} has a key of its own beside `extra`")
            if any(own.startswith(name) for own in OURS):
                raise ValueError(f"--{name} is cai_deploy's: a node's job depends on it")
            if value is False:
                raise ValueError(f"{name}: leave an option out instead of giving it false")
            if isinstance(value, str) and CONTROL.search(value):
                raise ValueError(f"{name}: a value is one line without control characters")
        return extra

    @model_validator(mode="after")
    def _warned_within_the_time(self) -> SlurmOptions:
        limit = seconds_of(self.time) if self.time else None
        if limit is not None and self.warning >= limit:
            raise ValueError(f"warning {self.warning} s is not within the time {self.time}: a job would begin with it")
        return self

    def under(self, own: SlurmOptions | None) -> SlurmOptions:
        """These options of a cluster with a group's ``own`` on top; extra options are merged by name."""
        options = self.model_dump(exclude_unset=True, include=set(SlurmOptions.model_fields))
        if own is None:
            return SlurmOptions.model_validate(options)
        stated, extra = own.model_dump(exclude_unset=True), {**self.extra, **own.extra}
        return SlurmOptions.model_validate({**options, **stated, "extra": extra})


class SlurmIdle(BaseModel):
    """When a head that nobody uses ends: after so many minutes without work or client, and within the ``window``.

    The window is a part of each day, by the clock of the head's machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    after: Annotated[float, Field(gt=0, le=525_600)] = 30
    window: str = "02:30-09:00"

    @field_validator("window")
    @classmethod
    def _a_window(cls, window: str) -> str:
        return str(daily_window.parse(window))


class Slurm(SlurmOptions):
    """What a whole cluster asks of Slurm: options for all its jobs, and how the cluster lives there.

    ``directory`` is the project directory, which all machines share; None is where one stands. ``ports_first`` pins the
    first port of the head's block. ``handover`` has a head that is warned submit its successor; ``checkpoint`` is how
    many seconds a script has after the warning before its node is drained.
    """

    directory: Directory | None = None
    ports_first: Annotated[int, Field(ge=1024, le=65_535)] | None = None
    idle: SlurmIdle | None = None
    handover: bool = False
    checkpoint: Annotated[int, Field(ge=0, le=65_535)] = 60

    @model_validator(mode="after")
    def _time_to_use_the_warning(self) -> Slurm:
        if self.handover and not self.warning:
            raise ValueError("handover: a successor is submitted at the warning; give `warning` some seconds")
        if "checkpoint" in self.model_fields_set and self.warning < self.checkpoint:
            raise ValueError(
                f"checkpoint {self.checkpoint} s is longer than is left after the warning, {self.warning} s"
            )
        return self


def seconds_of(time: str) -> int | None:
    """A time limit in Slurm's notation, in seconds; None for no limit. Raises ValueError for what is no time."""
    if time.upper() in UNLIMITED:
        return None
    match = TIME.fullmatch(time)
    if not match:
        raise ValueError(
            f"{time!r} is not a time: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes "
            "or days-hours:minutes:seconds"
        )
    part = {name: int(text) for name, text in match.groupdict().items() if text is not None}
    days, hours = part.get("d", 0), part.get("h", 0) + part.get("dh", 0)
    minutes = sum(part.get(name, 0) for name in ("minutes", "m", "hm", "dm"))
    seconds = sum(part.get(name, 0) for name in ("s", "hs", "ds"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
