"""Writes ``cmlapi``, the Python client of the contract, file by file.

Its users know it from the platform: ``default_client``, ``CMLServiceApi`` with one method for each operation (the body
comes first), a class for each schema, ``rest.ApiException``. The text is in ``templates``; here is only what each
template is told.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2

from cai_deploy.local_workspace.contract import names
from cai_deploy.local_workspace.contract.reader import Contract, Json, Operation, Parameter, reference_name
from cai_deploy.local_workspace.contract.swagger import SERVICE

NAME = "cmlapi"
_TEMPLATES = Path(__file__).with_name("templates")


def files(contract: Contract) -> dict[str, str]:
    """Every file of the client's source package, by its path in there."""
    models = {name: model(name, schema) for name, schema in in_order(contract)}
    known = {
        "contract": contract,
        "version": version(contract),
        "service": f"{SERVICE}Api",
        "operations": [method(operation) for operation in contract.operations],
        "models": list(models.values()),
    }
    written = {}
    for template in sorted(_TEMPLATES.glob("client/**/*.j2")):
        inner = template.relative_to(_TEMPLATES)
        if template.name in {"object.py.j2", "enumeration.py.j2"}:
            continue
        written[str(inner.relative_to("client")).removesuffix(".j2")] = _render(inner, known)
    for shown in models.values():
        kind = "enumeration" if shown["members"] else "object"
        template = Path("client", NAME, "models", f"{kind}.py.j2")
        written[f"{NAME}/models/{shown['module']}.py"] = _render(template, {"model": shown})
    return written


def in_order(contract: Contract) -> list[tuple[str, Json]]:
    """The schemas in the order of their classes' names."""
    return sorted(contract.schemas.items(), key=lambda item: names.class_name(item[0]))


def version(contract: Contract) -> str:
    """The contract's version as Python packages write one: no leading zeros."""
    return ".".join(str(int(part)) for part in contract.version.split("."))


def method(operation: Operation) -> dict[str, Any]:
    """What a template needs to write one method."""
    parameters = [_argument(parameter) for parameter in operation.parameters]
    options = [one for one in parameters if not one["required"]]
    if operation.takes_files:
        told = "path of a local file; it is stored in the project under the name 'file'"
        options.append({"name": "file", "wire": "file", "location": "file", "required": False, "told": told})
    return {
        "name": names.snake(operation.id),
        "summary": operation.summary,
        "facts": operation.facts,
        "http": operation.method.upper(),
        "path": operation.path,
        "body": names.class_name(operation.body) if operation.body else "",
        "required": [one for one in parameters if one["required"]],
        "options": options,
        "answer": _answer(operation),
    }


def model(name: str, schema: Json) -> dict[str, Any]:
    """What a template needs to write one model."""
    values = schema.get("enum", [])
    prefix = names.shared_prefix(values) if values else ""
    return {
        "name": names.class_name(name),
        "module": names.snake(names.class_name(name)),
        "summary": schema.get("description", f"{names.class_name(name)} of the API."),
        "members": [(value, value.removeprefix(prefix)) for value in values],
        "refers_to": _referred(schema),
        "fields": [
            {"name": field, "type": names.wire_type(stated), "told": stated.get("description", "")}
            for field, stated in schema.get("properties", {}).items()
        ],
    }


def _referred(schema: Json) -> list[tuple[str, str]]:
    """Module and class of each model that appears in a field of this one."""
    stated = schema.get("properties", {}).values()
    named = {reference_name(field.get("items", field)) for field in stated} - {""}
    return sorted((names.snake(names.class_name(name)), names.class_name(name)) for name in named)


def _argument(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "wire": parameter.name,
        "location": parameter.location,
        "required": parameter.required,
        "told": parameter.description,
    }


def _answer(operation: Operation) -> str:
    if operation.gives_bytes:
        return "bytes"
    return names.class_name(operation.answer) if operation.answer else ""


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - Python is written with it, not HTML
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["annotation"] = annotation
    return environment


def annotation(wire_type: str) -> str:
    """The type as annotations write it."""
    return wire_type.replace("dict(", "dict[").replace(")", "]")


def _render(template: Path, known: dict[str, Any]) -> str:
    return _environment().get_template(template.as_posix()).render(known)
