"""The page of the specification: the annotated example in pieces, each with what its keys may hold.

The example says what a key means, the JSON schema what it takes. Neither is written down here a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cai_deploy import shipped
from cai_deploy.spec import ClusterSpec
from tools.reference.markdown import MADE, code, table

Schema = dict[str, Any]

HEAD = """# The specification

`cai-deploy.yaml` describes one cluster. Every key may be left out, and so may the file. The pieces below are those of the
[annotated example](../../cai-deploy.yaml), which `python -m cai_deploy config --example` prints; `python -m cai_deploy config` checks
a file, and [the schema](../cai-deploy.schema.json) has editors check it while you write.

What a place cannot do is refused, and not left undone in silence: the pages of the [places](../index.md#places) say what.
"""

LIMITS = {
    "pattern": "matches `{}`",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "format": "{}",
}

KEY = re.compile(r"^#? ?([a-z_]+):", re.MULTILINE)


@dataclass
class Piece:
    """A paragraph of the example, and the keys of the first level that it documents."""

    text: str
    keys: list[str] = field(default_factory=list)


def page() -> str:
    """The whole page."""
    schema = ClusterSpec.model_json_schema()
    parts = [MADE, HEAD]
    for piece in pieces(shipped.find(shipped.EXAMPLE).read_text(encoding="utf-8"), set(schema["properties"])):
        parts += [f"## {', '.join(piece.keys)}\n", code("yaml", piece.text)]
        rows = [row for key in piece.keys for row in _rows(key, schema["properties"][key], schema["$defs"])]
        parts.append(table(("key", "takes", "left out", "limits"), rows))
    return "\n".join(parts)


def pieces(example: str, keys: set[str]) -> Iterator[Piece]:
    """The paragraphs of ``example`` that document ``keys``; the one before the first key is about the file."""
    for paragraph in example.split("\n\n"):
        found = [each for each in KEY.findall(paragraph) if each in keys]
        if found:
            yield Piece(paragraph.strip("\n"), found)


def _rows(path: str, schema: Schema, definitions: Schema) -> Iterator[tuple[str, str, str, str]]:
    """A row for the key at ``path``, or one for each key below it."""
    inner, within = _unfolded(schema, definitions), path
    if inner.get("type") == "array":
        below = _unfolded(inner.get("items", {}), definitions)
        if "properties" in below:
            inner, within = below, f"{path}[]"
    if "properties" not in inner:
        yield f"`{path}`", _takes(schema, definitions), _default(schema), _limits(schema, definitions)
        return
    for key, each in inner["properties"].items():
        if within != "slurm" and key == "slurm":
            yield f"`{within}.slurm`", "any key of [`slurm`](#slurm) that is an option of a job", "", ""
        else:
            yield from _rows(f"{within}.{key}", each, definitions)


def _unfolded(schema: Schema, definitions: Schema) -> Schema:
    """What is meant by ``schema``: the definition that it refers to; of "something or nothing" the something."""
    if "$ref" in schema:
        return _unfolded(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    real = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return _unfolded(real[0], definitions) if len(real) == 1 else schema


def _takes(schema: Schema, definitions: Schema) -> str:
    """What may stand there, in words."""
    real = _unfolded(schema, definitions)
    if "anyOf" in real:
        return " or ".join(dict.fromkeys(_takes(each, definitions) for each in real["anyOf"] if each != NOTHING))
    if "enum" in real:
        return " or ".join(f"`{each}`" for each in real["enum"])
    if "const" in real:
        return f"`{real['const']}`"
    if real.get("type") == "array":
        return f"a list, each of them {_takes(real['items'], definitions)}"
    if real.get("type") == "object":
        values = real.get("additionalProperties", True)
        return f"names, each with {_takes(values, definitions)}" if isinstance(values, dict) else "names and values"
    return WORDS.get(real.get("type", ""), "any value")


NOTHING = {"type": "null"}
WORDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, {}, []) else f"`{json.dumps(default)}`"


def _limits(schema: Schema, definitions: Schema) -> str:
    real = _unfolded(schema, definitions)
    return ", ".join(told.format(_number(real[key])) for key, told in LIMITS.items() if key in real)


def _number(limit: object) -> object:
    return f"{limit:g}" if isinstance(limit, float) else limit
