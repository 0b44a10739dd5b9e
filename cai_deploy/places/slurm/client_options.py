"""The options of ``sbatch`` that stand before a script -> what its job is, and what is asked of Slurm for it. Pure.

They are written as for ``sbatch`` itself. How large the job is we have to know, as its node tells Ray so; what it is
called and where it writes is ours, as we find it by that. All others go to Slurm as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from cai_deploy.errors import ConfigError
from cai_deploy.slurm_options import FIELDS, SlurmOptions, seconds_of

LONG_FORMS = {
    "A": "account",
    "C": "constraint",
    "G": "gpus",
    "J": "job-name",
    "L": "licenses",
    "N": "nodes",
    "a": "array",
    "b": "begin",
    "c": "cpus-per-task",
    "d": "dependency",
    "e": "error",
    "i": "input",
    "m": "distribution",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "t": "time",
    "w": "nodelist",
    "x": "exclude",
}

GIGABYTES = {"K": 1 / 1024**2, "M": 1 / 1024, "": 1 / 1024, "G": 1.0, "T": 1024.0}
"""Slurm means megabytes when nothing is said."""

WARNING = re.compile(r"(?:B:)?(?:SIG)?USR1@(\d+)")


@dataclass(frozen=True)
class ClientShape:
    """How large a client's node is, but for its GPUs."""

    cpu: int = 1
    memory_gb: float = 2.0


@dataclass(frozen=True)
class ClientOptions:
    """What was asked for. ``asked`` is for ``SlurmOptions``, by its keys."""

    shape: ClientShape
    asked: dict[str, Any]

    def under(self, cluster: SlurmOptions) -> SlurmOptions:
        """With the cluster's own options where nothing else is asked for. Raises ConfigError.

        A script that Slurm starts anew begins from its beginning, which it has to be asked for.
        """
        try:
            own = {"requeue": False, "mem": None, **self._warned_in_time(cluster), **self.asked}
            return cluster.under(SlurmOptions.model_validate(own))
        except ValidationError as error:
            told = error.errors()[0]
            where = ".".join(str(part) for part in told["loc"] if part != "extra")
            why = str(told.get("ctx", {}).get("error", told["msg"]))
            raise ConfigError(f"these options of sbatch cannot be: {where or 'together'}", why=why) from error

    def _warned_in_time(self, cluster: SlurmOptions) -> dict[str, int]:
        """The warning of a job so short that it would begin with the usual one; none where somebody has said."""
        try:
            limit = seconds_of(self.asked.get("time") or "UNLIMITED")
        except ValueError:
            return {}  # which is told of better when all is looked at
        return {"warning": limit // 2} if limit is not None and limit <= cluster.warning else {}


def gpus_of(options: SlurmOptions) -> int:
    """The GPUs that a job gets by ``gpu:2,shard:1`` or ``gpu:a100:2``."""
    count = 0
    for each in (options.gres or "").split(","):
        kind, *more = each.split(":")
        if kind == "gpu":
            last = more[-1] if more else "1"
            count += int(last) if last.isdecimal() else 1
    return count


def read_options(given: Sequence[str]) -> ClientOptions:
    """What the arguments before the script ask for. Raises ConfigError."""
    shape, asked, extra = ClientShape(), dict[str, Any](), dict[str, Any]()
    for name, value in _pairs(given):
        if name in SHAPES:
            shape = SHAPES[name](shape, _needed(name, value))
        elif name == "no-requeue":
            asked["requeue"] = False
        elif name == "requeue":
            asked["requeue"] = True
        elif name == "signal":
            asked["warning"] = _warning(_needed(name, value))
        elif name == "export":
            asked["export"] = _export(_needed(name, value))
        elif name == "gpus":
            asked["gres"] = f"gpu:{_needed(name, value)}"
        elif name in FIELDS:
            asked[name] = _needed(name, value)
        else:
            extra[name] = True if value is None else value
    return ClientOptions(shape, {**asked, **({"extra": extra} if extra else {})})


def _pairs(given: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Each option by its long name, with its value; None for one that has none."""
    left = list(given)
    while left:
        word = left.pop(0)
        value: str | None
        if word.startswith("--") and len(word) > len("--"):
            name, told, value = word[2:].partition("=")
            value = value if told else None
        elif word.startswith("-") and word[1:2] in LONG_FORMS:
            name, value = LONG_FORMS[word[1]], word[2:] or None
        else:
            raise ConfigError(
                f"{word!r} is no option of sbatch that is known here",
                next_step="write options in their long form, and before the script",
            )
        if value is None and left and not left[0].startswith("-"):
            value = left.pop(0)
        yield name, value


def _needed(name: str, value: str | None) -> str:
    if not value:
        raise ConfigError(f"--{name} needs a value")
    return value


def _cpus(shape: ClientShape, value: str) -> ClientShape:
    if not value.isdecimal() or int(value) == 0:
        raise ConfigError(f"--cpus-per-task takes a number of CPUs, not {value!r}")
    return replace(shape, cpu=int(value))


def _memory(shape: ClientShape, value: str) -> ClientShape:
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", value.upper())
    if not match or int(match[1]) == 0:
        raise ConfigError(f"--mem takes an amount such as 4G, not {value!r}")
    return replace(shape, memory_gb=int(match[1]) * GIGABYTES[match[2]])


SHAPES: dict[str, Callable[[ClientShape, str], ClientShape]] = {"cpus-per-task": _cpus, "mem": _memory}


def _warning(value: str) -> int:
    match = WARNING.fullmatch(value)
    if not match:
        raise ConfigError(
            f"--signal={value} cannot be", why="the warning that reaches the script is SIGUSR1: --signal=USR1@SECONDS"
        )
    return int(match[1])


def _export(value: str) -> str | list[str]:
    return value.lower() if value.upper() in ("NONE", "ALL") else value.split(",")
