"""The two pages for people: the reference of the API and that of its Python client."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import jinja2

from cai_deploy.local_workspace.contract import client, names
from cai_deploy.local_workspace.contract.reader import Contract

_TEMPLATES = Path(__file__).with_name("templates") / "pages"


def of_the_api(contract: Contract) -> str:
    """``swagger.html``: every operation with its parameters, and every schema."""
    groups = itertools.groupby(contract.operations, lambda operation: operation.tag)
    return _render("swagger.html.j2", contract=contract, groups=[(tag, list(operations)) for tag, operations in groups])


def of_the_client(contract: Contract) -> str:
    """``python.html``: how to install the client, its methods and its models."""
    return _render(
        "python.html.j2",
        contract=contract,
        methods=[client.method(operation) for operation in contract.operations],
        models=[client.model(name, schema) for name, schema in client.in_order(contract)],
    )


def _render(template: str, **known: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["type"] = names.wire_type
    environment.filters["class_name"] = names.class_name
    return environment.get_template(template).render(known)
