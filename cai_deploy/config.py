"""File + environment + flags -> ClusterSpec, and which workspace to talk to.

The order of precedence is: flags over the environment over the file over defaults. Whatever is wrong is answered with
the path of the key, the value found, what is allowed and, for a misspelt key, what was probably meant. This module
reads a file and the environment it is given; it must not know how a specification is carried out.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cai_deploy.errors import ConfigError
from cai_deploy.redaction import without_credentials
from cai_deploy.spec import NAME_PATTERN, ClusterSpec

DEFAULT_FILE = Path("cai-deploy.yaml")


@dataclass(frozen=True)
class WorkspaceTarget:
    """A workspace and the key to it. ``found_in`` names the variable that decided, for the first line of output."""

    host: str
    api_key: str = field(repr=False)
    project_id: str | None
    found_in: str


def load(path: Path | None, *, base: ClusterSpec | None = None) -> ClusterSpec:
    """The specification in ``path``, or in ``cai-deploy.yaml`` here, or ``base``, or the defaults.

    Raises ConfigError for a file that is missing though it was named, is not YAML, or breaks the schema.
    """
    chosen = path or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
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
    return parse(text, source=str(chosen))


def parse(text: str, *, source: str = "the specification") -> ClusterSpec:
    """The specification in ``text`` (YAML, so JSON too). Raises ConfigError as :func:`load` does."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML", why=" ".join(str(error).split())) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source} must hold keys and values", why=f"it holds a {type(data).__name__}")
    return build(data, source=source)


def build(data: Mapping[str, Any], *, source: str) -> ClusterSpec:
    """The specification that ``data`` describes. Raises ConfigError for the first keys that are wrong."""
    try:
        return ClusterSpec.model_validate(data)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(
            f"{source} is not a valid specification",
            why="\n".join(lines),
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


def _explain(problem: ErrorDetails) -> str:
    path = _path(problem["loc"])
    if problem["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(problem["loc"][:-1]))
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(allowed)}"
        return f"{path}: unknown key; {hint}"
    return f"{path}: {_allowed(problem)}, not {_shown(problem['input'])!r}" if path else _allowed(problem)


def _shown(value: object) -> object:
    return without_credentials(value) if isinstance(value, str) else value


def _allowed(problem: ErrorDetails) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context.get("error", problem["msg"]))
    if problem["type"] == "string_pattern_mismatch" and context.get("pattern") == NAME_PATTERN:
        return "must be lower-case letters, digits and single hyphens, a letter first"
    return (
        problem["msg"]
        .replace("Input should", "must")
        .replace("String should", "must")
        .replace("be a valid tuple", "be a list")
    )


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _fields_at(location: tuple[str | int, ...]) -> set[str]:
    model: type[BaseModel] = ClusterSpec
    for part in location:
        if isinstance(part, int):
            continue
        inner = _model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        if inner is None:
            return set()
        model = inner
    return set(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
