"""``config``: the annotated example, the schema, and a check of a file."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.config import load
from cai_deploy.errors import DeployError


@click.command("config")
@click.option("--example", is_flag=True, help="Print the annotated example, which documents every key.")
@click.option("--schema", is_flag=True, help="Print the JSON schema, for editors.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def command(example: bool, schema: bool, file: Path | None) -> None:
    """Check FILE (default: cai-deploy.yaml here) and print the specification that it makes, defaults filled in."""
    if example:
        click.echo(annotated_example())
    elif schema:
        import json

        from cai_deploy.spec import ClusterSpec

        click.echo(json.dumps(ClusterSpec.model_json_schema(), indent=2))
    else:
        click.echo(load(file).model_dump_json(indent=2))


def annotated_example() -> str:
    """The shipped ``cai-deploy.yaml``: in a checkout it stands beside the package, in a wheel inside it."""
    package = Path(__file__).parents[1]
    for candidate in (package.parent / "cai-deploy.yaml", package / "_shipped" / "cai-deploy.yaml"):
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8")
    raise DeployError("the annotated example is not installed", next_step="install cai_deploy again")
