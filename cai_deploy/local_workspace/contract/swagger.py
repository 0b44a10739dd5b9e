"""The contract as the Swagger 2.0 document that a workspace serves, so that generators of clients can be run on it.

Such a document comes out of a gRPC gateway: parameters are spelled out at every operation, everything belongs to one
service, and no lengths or patterns are stated. What the contract learned by watching is left out accordingly.
"""

from __future__ import annotations

import re
from typing import Any

from cai_deploy.local_workspace.contract.reader import Contract, Operation, Parameter, reference_name

SERVICE = "CMLService"
_OBSERVED = {"pattern", "minLength", "maxLength", "minProperties"}


def document(contract: Contract) -> dict[str, Any]:
    """The Swagger 2.0 document. It names no host: it holds for the one that serves it."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in contract.operations:
        paths.setdefault(operation.spec_path, {})[operation.method] = _operation(operation)
    return {
        "swagger": "2.0",
        "info": {"title": contract.title, "version": contract.version, "description": contract.description},
        "tags": [{"name": SERVICE}],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "BearerAuth": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Bearer KEY"}
        },
        "security": [{"BearerAuth": []}],
        "paths": paths,
        "definitions": {name: _as_stated(schema) for name, schema in contract.schemas.items()},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    shown: dict[str, Any] = {"summary": operation.summary, "operationId": operation.id, "tags": [SERVICE]}
    if operation.takes_files:
        shown["consumes"] = ["multipart/form-data"]
    if operation.gives_bytes:
        shown["produces"] = ["application/octet-stream"]
    renamed = _dotted_names(operation)
    parameters = [_parameter(one, renamed.get(one.name, one.name)) for one in operation.parameters]
    if operation.body:
        parameters.append({"name": "body", "in": "body", "required": True, "schema": _reference(operation.body)})
    if operation.takes_files:
        parameters.append({"name": "file", "in": "formData", "required": False, "type": "file"})
    shown["parameters"] = parameters
    shown["responses"] = _responses(operation)
    return shown


def _dotted_names(operation: Operation) -> dict[str, str]:
    ours, theirs = (re.findall(r"{([^}]+)}", path) for path in (operation.path, operation.spec_path))
    return dict(zip(ours, theirs, strict=True))


def _parameter(parameter: Parameter, name: str) -> dict[str, Any]:
    shown = {"name": name, "in": parameter.location, "required": parameter.required}
    if parameter.description:
        shown["description"] = parameter.description
    shown |= _as_stated(parameter.schema)
    if parameter.schema["type"] == "array":
        shown["collectionFormat"] = "multi"
    return shown


def _responses(operation: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if operation.answer:
        done["schema"] = _reference(operation.answer)
    elif operation.gives_bytes:
        done["schema"] = {"type": "string", "format": "binary"}
    failed: dict[str, Any] = {"description": "Any failure."}
    if operation.typed_errors:
        failed["schema"] = _reference("runtimeError")
    return {"200": done, "default": failed}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def _as_stated(value: Any) -> Any:
    """A schema without what was observed, its references pointing to where Swagger keeps definitions."""
    if isinstance(value, list):
        return [_as_stated(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _reference(reference_name(value))
    return {
        name: _as_stated(inner) for name, inner in value.items() if name not in _OBSERVED and not name.startswith("x-")
    }
