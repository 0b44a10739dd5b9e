"""What commands show: data on stdout (a table, or one JSON document), the story on stderr.

Every JSON document is an envelope of ``cluster``, ``place``, ``converged``, ``nodes`` and ``connection``, with a
command's own keys beside them; a failure is ``{"error": {"what", "why", "next_step", "exit_code"}}``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from cai_deploy.errors import DeployError
from cai_deploy.membership import number_of
from cai_deploy.places.base import PlaceObservation
from cai_deploy.redaction import shown_variables
from cai_deploy.state import Node, Observation, Plan, Request, Step


def envelope(cluster: str, place: str, seen: Observation, *, converged: bool, **more: Any) -> dict[str, Any]:
    """The document that every command about a cluster answers with."""
    return {
        "cluster": cluster,
        "place": place,
        "converged": converged,
        "nodes": [_node(node) for node in in_order((*seen.nodes, *seen.joined))],
        "connection": asdict(seen.connection) if seen.connection else None,
        **more,
    }


def code_document(seen: PlaceObservation) -> dict[str, str] | None:
    """What the clone in the project is at, as data."""
    return {"commit": seen.commit, "branch": seen.branch} if seen.commit else None


def show_code(seen: PlaceObservation) -> None:
    """The same for people, where it is known."""
    if seen.commit:
        say(f"code: {seen.commit[:12]}{f' of {seen.branch}' if seen.branch else ''}")


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

    Variables whose names speak of secrets keep their names alone. The files of specifications, and
    those for Compose, repeat every variable, so their text is left out; they are the person's own.
    """
    if step.request is None:
        return None
    shown = dict(step.request)
    if "body" in shown:
        body = dict(shown["body"])
        if "environment" in body:
            body["environment"] = shown_variables(body["environment"])
        if step.kind in ("specification", "record", "compose file") and "content" in body:
            body["content"] = f"({len(body['content'])} characters)"
        shown["body"] = body
    if "environment" in shown:
        shown["environment"] = shown_variables(shown["environment"])
        if "text" in shown:
            shown["text"] = _shown_script(shown["text"], step.request["environment"])
    return shown


def _shown_script(text: str, variables: Mapping[str, str]) -> str:
    """A batch script, which holds its ``variables`` too, without those values that are not shown."""
    for name, shown in shown_variables(variables).items():
        if shown != variables[name]:
            text = text.replace(f"export {name}={shlex.quote(variables[name])}\n", f"export {name}={shown}\n", 1)
    return text


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns on stdout."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_nodes(seen: Observation, runs_as: str) -> None:
    """Print the cluster's nodes as a table; ``runs_as`` is the place's word for what runs one."""
    nodes = in_order((*seen.nodes, *seen.joined))
    rows = [
        (node.name, node.group, node.state.value, node.ray_state or "-", node.address or "-", node.native_id)
        for node in nodes
    ]
    headings = ("NODE", "GROUP", "STATE", "RAY", "ADDRESS", runs_as.upper())
    if any(node.reason for node in nodes):
        show_table((*headings, "REASON"), [(*row, node.reason) for row, node in zip(rows, nodes, strict=True)])
    else:
        show_table(headings, rows)


def show_error(error: DeployError, status: int, *, as_json: bool) -> None:
    """What failed, why, and the next step: on stderr for people, on stdout as JSON when that was asked for.

    ``status`` is what the command answers with.
    """
    if as_json:
        show_json(
            {
                "error": {
                    "what": error.what,
                    "why": error.why,
                    "next_step": error.next_step,
                    "exit_code": status,
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
    return sorted(nodes, key=lambda node: (node.role != "head", node.group, number_of(node.name), node.name))


def _node(node: Node) -> dict[str, str]:
    return {
        "name": node.name,
        "role": node.role,
        "group": node.group,
        "state": node.state.value,
        "ray_state": node.ray_state,
        "address": node.address,
        "native_id": node.native_id,
        **({"reason": node.reason} if node.reason else {}),
    }
