"""Reads the contract into values that generators can walk over: operations with their parameters, and schemas.

References to shared parameters are followed here, so that nobody after this has to know how the file is laid out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("cml-api-v2.yaml")
_METHODS = ("get", "post", "put", "patch", "delete")

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One value in the path or the query of a request."""

    name: str
    location: str
    required: bool
    schema: Json
    description: str


@dataclass(frozen=True)
class Operation:
    """One thing that a client can ask for."""

    id: str
    method: str
    path: str
    spec_path: str  # as the service's own document spells it: {project.id} where the contract says {project_id}
    tag: str
    summary: str
    parameters: tuple[Parameter, ...]
    body: str  # name of the schema, empty without a body
    answer: str  # name of the schema, empty when the answer is no JSON
    takes_files: bool
    gives_bytes: bool
    typed_errors: bool
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """The whole document."""

    title: str
    version: str
    description: str
    operations: tuple[Operation, ...]
    schemas: Mapping[str, Json]


@functools.cache
def contract() -> Contract:
    """The contract, read once."""
    document = yaml.load(FILE.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    info = document["info"]
    return Contract(
        title=info["title"],
        version=str(info["version"]),
        description=info["description"],
        operations=tuple(
            _operation(document, path, method, item[method])
            for path, item in document["paths"].items()
            for method in _METHODS
            if method in item
        ),
        schemas=document["components"]["schemas"],
    )


def reference_name(schema: Json) -> str:
    """The name of the schema that this one refers to, also when it does so through ``allOf``; else empty."""
    if "allOf" in schema:
        schema = schema["allOf"][0]
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _operation(document: Json, path: str, method: str, stated: Json) -> Operation:
    request = stated.get("requestBody", {}).get("content", {})
    answer = stated["responses"]["200"].get("content", {})
    return Operation(
        id=stated["operationId"],
        method=method,
        path=path,
        spec_path=stated.get("x-spec-path", path),
        tag=stated["tags"][0],
        summary=stated["summary"],
        parameters=tuple(_parameter(document, parameter) for parameter in stated.get("parameters", [])),
        body=_schema_name(request),
        answer=_schema_name(answer),
        takes_files="multipart/form-data" in request,
        gives_bytes="*/*" in answer,
        typed_errors=stated["responses"]["default"]["$ref"].endswith("/Error"),
        facts=tuple(stated.get("x-behaviour", [])),
    )


def _schema_name(content: Json) -> str:
    return reference_name(content.get("application/json", {}).get("schema", {}))


def _parameter(document: Json, stated: Json) -> Parameter:
    if "$ref" in stated:
        stated = document["components"]["parameters"][reference_name(stated)]
    return Parameter(
        name=stated["name"],
        location=stated["in"],
        required=stated["required"],
        schema=stated["schema"],
        description=stated.get("description", ""),
    )
