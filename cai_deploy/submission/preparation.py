"""What a person asked for, made ready to be sent: files chosen and packed, wheels in place, an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cai_deploy.errors import ConfigError
from cai_deploy.submission.files import Selection, select
from cai_deploy.submission.package import in_megabytes, write_package
from cai_deploy.submission.runtime_env import with_packages, with_variables
from cai_deploy.submission.wheels import build_wheels, placed, requirement

SHOWN = 5
BUDGET = 100.0


@dataclass(frozen=True)
class Wish:
    """A job as a person asks for it. ``runtime_env`` is that of a file; ``max_size`` is in megabytes."""

    working_dir: Path | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    wheels: Sequence[Path] = ()
    build: bool = False
    uv: Sequence[str] = ()
    pip: Sequence[str] = ()
    include: Sequence[str] = ()
    num_cpus: float = 0
    max_size: float = BUDGET


@dataclass(frozen=True)
class Prepared:
    """The runtime environment, and the package that it needs; None when it needs none."""

    runtime_env: dict[str, Any] = field(repr=False)
    package: Path | None


def prepare(wish: Wish, scratch: Path, say: Callable[[str], object]) -> Prepared:
    """Everything that can be done before the cluster is asked. Raises ConfigError, TooLarge or BuildFailed."""
    fields = dict(wish.runtime_env)
    named = fields.pop("working_dir", None)
    if isinstance(named, str) and "://" in named and wish.working_dir is None:
        return _with_foreign_directory(wish, {**fields, "working_dir": named})
    root = wish.working_dir or Path(str(named) if named else ".")
    if not root.is_dir():
        raise ConfigError(f"the working directory {root} is not a directory")
    added = placed(wish.wheels)
    if wish.build:
        built = build_wheels(root, scratch)
        say(f"built {', '.join(wheel.name for wheel in built)}")
        added |= placed(built)
    selected = select(root, include=wish.include, exclude=fields.pop("excludes", None) or ())
    _tell(selected, say)
    package = scratch / "working_dir.zip"
    size = write_package({**selected.files, **added}, package, budget=wish.max_size)
    say(f"working directory: {len(selected.files) + len(added)} files, {in_megabytes(size)}")
    fields = with_packages(fields, uv=wish.uv, pip=wish.pip, wheels=[requirement(path) for path in added])
    return Prepared(with_variables(fields, wish.env, wish.num_cpus), package)


def _with_foreign_directory(wish: Wish, fields: dict[str, Any]) -> Prepared:
    if wish.wheels or wish.build:
        raise ConfigError(
            "wheels travel in the working directory's package, and this working directory is a URL",
            next_step="name a directory with --working-dir",
        )
    return Prepared(with_variables(with_packages(fields, uv=wish.uv, pip=wish.pip), wish.env, wish.num_cpus), None)


def _tell(selected: Selection, say: Callable[[str], object]) -> None:
    if selected.secrets:
        say(f"left out, as they look like secrets: {_some(selected.secrets)} (--include PATTERN takes them along)")
    if selected.links:
        say(f"left out, as they are links out of the directory: {_some(selected.links)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
