"""``config``: the annotated example, the schema, and a check of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cai_deploy import shipped
from cai_deploy.cli.output import show_json
from cai_deploy.config import DEFAULT_FILE, load
from cai_deploy.errors import ConfigError
from cai_deploy.redaction import shown_variables
from cai_deploy.spec import ClusterSpec


@click.command("config")
@click.option("--example", is_flag=True, help="Print the annotated example, which documents every key.")
@click.option("--schema", is_flag=True, help="Print the JSON schema, for editors.")
@click.option("--validate", is_flag=True, help="Say whether the file is valid, and print nothing of it.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def command(example: bool, schema: bool, validate: bool, file: Path | None) -> None:
    """Check FILE (default: cai-deploy.yaml here) and print the specification that it makes, defaults filled in.

    Of variables whose names speak of secrets only the names are shown. What is wrong is told with its line and column.

    \b
    Examples:
      python -m cai_deploy config
      python -m cai_deploy config --validate cai-deploy.yaml
      python -m cai_deploy config --example > cai-deploy.yaml
      python -m cai_deploy config --schema > cai-deploy.schema.json
    """
    if example + schema + validate > 1:
        raise ConfigError("--example, --schema and --validate exclude each other")
    if file and (example or schema):
        raise ConfigError("--example and --schema look at no file", next_step=f"leave {file} out")
    if example:
        click.echo(annotated_example(), nl=False)
    elif schema:
        click.echo(json_schema(), nl=False)
    elif validate:
        click.echo(f"{file or DEFAULT_FILE} is valid: {summary(load(file or DEFAULT_FILE))}")
    else:
        show_json(as_shown(load(file)))


def summary(spec: ClusterSpec) -> str:
    """A specification in a few words."""
    count = len(list(spec.members()))
    return f"cluster {spec.name} on {spec.place}, {count} node{'' if count == 1 else 's'}"


def json_schema() -> str:
    """The schema of a specification's file, as editors take it. docs/cai-deploy.schema.json is this text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ClusterSpec.model_json_schema(),
        "title": "cai-deploy.yaml",
    }
    return json.dumps(schema, indent=2) + "\n"


def as_shown(spec: ClusterSpec) -> dict[str, Any]:
    """The specification, without values that may be secret."""
    document = spec.model_dump(mode="json")
    for group in (document["head"], *document["workers"]):
        group["env"] = shown_variables(group["env"])
    return document


def annotated_example() -> str:
    """The shipped ``cai-deploy.yaml``: every key, with its default. Its schema stands in this repository alone."""
    text = shipped.find(shipped.EXAMPLE).read_text(encoding="utf-8")
    return text.partition("\n")[2] if text.startswith("# yaml-language-server:") else text
