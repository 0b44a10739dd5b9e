"""What commands show: data on stdout (a table, or one JSON document), the story on stderr.

Every JSON document is an envelope of ``cluster``, ``place``, ``converged``, ``nodes`` and ``connection``, with a
command's own keys beside them; a failure is ``{"error": {"what", "why", "next_step", "exit_code"}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from cai_deploy.errors import DeployError
from cai_deploy.state import Node, Observation, Plan, Request, Step

SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASS|PWD?$|CREDENTIAL", re.IGNORECASE)


def envelope(cluster: str, place: str, seen: Observation, *, converged: bool, **more: Any) -> dict[str, Any]:
    """The document that every command about a cluster answers with."""
    return {
        "cluster": cluster,
        "place": place,
        "converged": converged,
        "nodes": [_node(node) for node in in_order(seen.nodes)],
        "connection": asdict(seen.connection) if seen.connection else None,
        **more,
    }


def plan_document(plan: Plan) -> list[dict[str, Any]]:
    """The steps of a plan with their requests, as data."""
    return [
        {
            "action": step.action,
            "kind": step.kind,
            "name": step.name,
            "reason": step.reason,
            "native_id": step.native_id,
            "request": shown_request(step),
        }
        for step in plan.steps
    ]


def shown_request(step: Step) -> Request | None:
    """A step's request as it may be shown: without values that may be secret.

    Variables whose names speak of secrets keep their names alone. The specification file repeats every variable, so
    its text is left out; it is the person's own.
    """
    body = dict(step.request.get("body", {})) if step.request else {}
    if "environment" in body:
        body["environment"] = {
            name: "***" if SECRET_NAME.search(name) else value for name, value in body["environment"].items()
        }
    if step.kind == "specification" and "content" in body:
        body["content"] = f"({len(body['content'])} characters)"
    return {**step.request, "body": body} if step.request else None


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns on stdout."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_nodes(seen: Observation) -> None:
    """Print the cluster's nodes as a table."""
    rows = [
        (node.name, node.group, node.state.value, node.ray_state or "-", node.address or "-", node.native_id)
        for node in in_order(seen.nodes)
    ]
    show_table(("NODE", "GROUP", "STATE", "RAY", "ADDRESS", "APPLICATION"), rows)


def show_error(error: DeployError, *, as_json: bool) -> None:
    """What failed, why, and the next step: on stderr for people, on stdout as JSON when that was asked for."""
    if as_json:
        show_json(
            {
                "error": {
                    "what": error.what,
                    "why": error.why,
                    "next_step": error.next_step,
                    "exit_code": error.exit_code,
                }
            }
        )
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.what}", err=True)
    for line in error.why.splitlines():
        click.echo(f"  {line}", err=True)
    if error.next_step:
        click.echo(f"{click.style('hint:', fg='cyan', bold=True)} {error.next_step}", err=True)


def say(text: str) -> None:
    """One line of the story."""
    click.echo(text, err=True)


def in_order(nodes: Sequence[Node]) -> list[Node]:
    """Head first, then workers by group and number (worker-2 before worker-10)."""
    return sorted(nodes, key=lambda node: (node.role != "head", node.group, _number(node.name), node.name))


def _number(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1


def _node(node: Node) -> dict[str, str]:
    return {
        "name": node.name,
        "role": node.role,
        "group": node.group,
        "state": node.state.value,
        "ray_state": node.ray_state,
        "address": node.address,
        "native_id": node.native_id,
    }
