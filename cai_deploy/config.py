"""File + environment + flags -> ClusterSpec, and which workspace to talk to.

The order of precedence is: flags over the environment over the file over defaults. Whatever is wrong is answered with
the path of the key, its line and column, the value found, what is allowed and what was probably meant. This module
reads a file and the environment it is given; it must not know how a specification is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cai_deploy.errors import ConfigError
from cai_deploy.spec import ClusterSpec
from cai_deploy.spec.misfits import sentences
from cai_deploy.spec.positions import Position, parse_nodes, repeated_key

DEFAULT_FILE = Path("cai-deploy.yaml")
QUICK_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML was built with it; what it makes is the same."""


@dataclass(frozen=True)
class WorkspaceTarget:
    """A workspace and the key to it. ``found_in`` names the variable that decided, for the first line of output."""

    host: str
    api_key: str = field(repr=False)
    project_id: str | None
    found_in: str


def load(path: Path | None, *, base: ClusterSpec | None = None) -> ClusterSpec:
    """The specification in ``path``, or in ``cai-deploy.yaml`` here or above, or ``base``, or the defaults.

    One that is found below the top of a repository tells its paths from where it stands.

    Raises ConfigError for a file that is missing though it was named, is not YAML, or breaks the schema.
    """
    chosen = path or find_file()
    if chosen is None:
        return base or ClusterSpec()
    try:
        text = chosen.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read {chosen}",
            why=error.strerror or str(error),
            next_step="give --config a file that exists",
        ) from error
    return parse(text, source=str(chosen)).from_top("" if path else _below_top(chosen))


def find_file(start: Path = Path()) -> Path | None:
    """``cai-deploy.yaml`` in ``start``, or in the nearest directory above it in the same repository."""
    if (start / DEFAULT_FILE).is_file():
        return start / DEFAULT_FILE
    top = _top(start)
    above = [each for each in start.resolve().parents if top and each.is_relative_to(top)]
    return next((each / DEFAULT_FILE for each in above if (each / DEFAULT_FILE).is_file()), None)


def _top(start: Path) -> Path | None:
    """The top of the repository around ``start``."""
    here = start.resolve()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), None)


def _below_top(file: Path) -> str:
    """The directory of ``file`` as the repository around it names it, "" for its top, or outside of any."""
    top = _top(file.parent)
    below = file.parent.resolve().relative_to(top).as_posix() if top else "."
    return "" if below == "." else below


def parse(text: str, *, source: str = "the specification") -> ClusterSpec:
    """The specification in ``text`` (YAML, so JSON too). Raises ConfigError as :func:`load` does."""
    try:
        root = parse_nodes(text)  # first, as its words on what is no YAML are the better ones
        data = yaml.load(text, Loader=QUICK_LOADER)  # noqa: S506 (a safe one)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML", why=_of_yaml(error)) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source} must hold keys and values", why=f"it holds a {type(data).__name__}")
    if twice := repeated_key(root):
        raise ConfigError(
            f"{source} is not a valid specification",
            why=f"{twice[0]}: stands twice, and only the second would count ({twice[1]})",
            next_step="remove one of them",
        )
    return build(data, source=source, root=root)


def build(data: Mapping[str, Any], *, source: str, root: yaml.Node | None = None) -> ClusterSpec:
    """The specification that ``data`` describes, which was written as ``root``.

    Raises ConfigError with everything that is wrong.
    """
    try:
        return ClusterSpec.model_validate(data)
    except ValidationError as error:
        raise ConfigError(
            f"{source} is not a valid specification",
            why="\n".join(sentences(error, root)),
            next_step="compare with the annotated example: python -m cai_deploy config --example",
        ) from error


def with_workers(spec: ClusterSpec, replicas: int | None, group: str | None = None) -> ClusterSpec:
    """``spec`` with ``--workers N`` applied to ``group``, the first one by default."""
    if replicas is None:
        return spec
    try:
        return spec.scaled(replicas, group)
    except KeyError as error:
        names = ", ".join(each.name for each in spec.workers) or "none"
        raise ConfigError(f"there is no worker group {error.args[0]!r}", why=f"groups: {names}") from error
    except ValidationError as error:
        raise ConfigError(f"--workers {replicas} is out of range", why=error.errors()[0]["msg"]) from error


def load_target(environ: Mapping[str, str]) -> WorkspaceTarget | None:
    """The workspace that the environment names, or None when it names none.

    Raises ConfigError when a host is given without a key.
    """
    host, found_in = _first(environ, "CML_HOST", "CDSW_API_URL", "CDSW_DOMAIN")
    if not host:
        return None
    key, _ = _first(environ, "CML_API_KEY", "CDSW_APIV2_KEY")
    if not key:
        raise ConfigError(
            f"{found_in} names a workspace, but there is no key for it",
            next_step="set CML_API_KEY to an API v2 key (User Settings > API Keys in the workspace)",
        )
    project_id, _ = _first(environ, "CML_PROJECT_ID", "CDSW_PROJECT_ID")
    return WorkspaceTarget(host, key, project_id or None, found_in)


def _first(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return value, name
    return "", ""


def _of_yaml(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} ({Position(mark.line + 1, mark.column + 1)})"
    return " ".join(str(error).split())
