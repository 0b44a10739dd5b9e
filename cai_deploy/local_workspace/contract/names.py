"""From the names of the contract to those of Python. Pure."""

from __future__ import annotations

import re

from cai_deploy.local_workspace.contract.reader import Json, reference_name

_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "object"}
_BY_FORMAT = {"date-time": "datetime", "binary": "bytes"}


def snake(name: str) -> str:
    """``ListCPUProfiles`` becomes ``list_cpu_profiles``; dots become underscores too."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).replace(".", "_").lower()


def class_name(schema: str) -> str:
    """A schema's name with a capital letter in front."""
    return schema[0].upper() + schema[1:]


def wire_type(schema: Json) -> str:
    """What a value of this schema is read into, as generated clients write it: ``list[Job]``, ``dict(str, str)``."""
    if reference := reference_name(schema):
        return class_name(reference)
    if schema["type"] == "array":
        return f"list[{wire_type(schema['items'])}]"
    if "additionalProperties" in schema:
        return f"dict(str, {wire_type(schema['additionalProperties'])})"
    return _BY_FORMAT.get(schema.get("format", ""), _SIMPLE[schema["type"]])


def shared_prefix(words: list[str]) -> str:
    """What all words begin with, up to an underscore: ``ENGINE_`` of the states of a run."""
    first, last = min(words), max(words)
    alike = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first.rfind("_", 0, alike) + 1]
