"""What is wrong with keys and values that should make a specification, each as a sentence for the person who wrote it.

Pure. A sentence names the path, the value found, what is allowed, what was probably meant, and where it stands.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cai_deploy.redaction import without_credentials
from cai_deploy.spec.cluster import ClusterSpec
from cai_deploy.spec.part import NAME_PATTERN
from cai_deploy.spec.positions import position_of

Steps = tuple[str | int, ...]


def sentences(error: ValidationError, root: yaml.Node | None) -> list[str]:
    """One for each key that is wrong; ``root`` is the text as YAML sees it, None where there is none."""
    found: dict[Steps, list[ErrorDetails]] = {}
    for problem in error.errors():
        found.setdefault(_without_kind(problem["loc"]), []).append(problem)
    return [_with_position(_sentence(where, problems), where, problems[0], root) for where, problems in found.items()]


def _sentence(where: Steps, problems: list[ErrorDetails]) -> str:
    """What is wrong at ``where``; of a value that may be of several kinds, why it is none of them."""
    path, first = _path(where), problems[0]
    if first["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(where[:-1]))
        close = difflib.get_close_matches(str(where[-1]), allowed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(allowed)}"
        return f"{path}: unknown key; {hint}"
    told = ", or ".join(_allowed(problem) for problem in problems)
    if not path:
        return told
    # Variables hold people's secrets; their names say enough.
    if "env" in where:
        return f"{path}: {told}"
    return f"{path}: {told}, not {_shown(first['input'])!r}{_meant(where, first)}"


def _with_position(sentence: str, where: Steps, problem: ErrorDetails, root: yaml.Node | None) -> str:
    of_key = problem["type"] in ("extra_forbidden", "missing")
    position = position_of(root, where, of_key=of_key)
    return f"{sentence} ({position})" if position else sentence


def _without_kind(location: Steps) -> Steps:
    """``location`` without the kind of value that was tried, which pydantic puts behind a key that takes several."""
    if len(location) < 2 or not isinstance(location[-1], str):
        return location
    *above, key = location[:-1]
    model = _model_at(tuple(above))
    field = model.model_fields.get(str(key)) if model else None
    takes_keys = field is None or _model_in(field.annotation) or _is_mapping(field.annotation)
    return location if takes_keys else location[:-1]


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(_is_mapping(inner) for inner in get_args(annotation))


def _meant(where: Steps, problem: ErrorDetails) -> str:
    """The choice that a misspelt value comes close to."""
    value = problem["input"]
    if problem["type"] != "literal_error" or not isinstance(value, str):
        return ""
    close = difflib.get_close_matches(value.lower(), _choices_at(where), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


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


def _path(location: Steps) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _fields_at(location: Steps) -> set[str]:
    model = _model_at(location)
    return set(model.model_fields) if model else set()


def _choices_at(location: Steps) -> list[str]:
    """The words that the key at ``location`` may have."""
    *above, key = location
    model = _model_at(tuple(above))
    annotation = model.model_fields[key].annotation if model and key in model.model_fields else None
    return list(_words_in(annotation))


def _words_in(annotation: Any) -> set[str]:
    if get_origin(annotation) is Literal:
        return {word for word in get_args(annotation) if isinstance(word, str)}
    return {word for inner in get_args(annotation) for word in _words_in(inner)}


def _model_at(location: Steps) -> type[BaseModel] | None:
    model: type[BaseModel] | None = ClusterSpec
    for part in location:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return None
        model = _model_in(model.model_fields[part].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
