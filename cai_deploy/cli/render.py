"""``render``: the launcher scripts as they would be uploaded."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from cai_deploy import config as specification
from cai_deploy import layout
from cai_deploy.cli.launch import wanted_spec
from cai_deploy.cli.options import config_option, workers_option
from cai_deploy.cli.output import say
from cai_deploy.config import with_workers
from cai_deploy.session import open_session, project_directory
from cai_deploy.spec import ClusterSpec


@click.command("render")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the files into this directory.")
@click.option("--place", type=click.Choice(["compose"]), help="Show what this place would be handed. Changes nothing.")
@workers_option
@config_option
def command(out: Path | None, place: str | None, workers: int | None, config: Path | None) -> None:
    """Show the launcher scripts, or write them to a directory.

    To change one, copy it into your repository, edit it, and point head.script or a group's script at it. With
    --place compose: the compose.yaml, and the Dockerfile with its locked requirements.

    \b
    Examples:
      python -m cai_deploy render
      python -m cai_deploy render --out rendered
    """
    if place == "compose":
        show_compose(with_workers(specification.load(config), workers), out)
        return
    session = open_session(config)
    spec = wanted_spec(session, workers, inline=False)
    wanted = session.place.build(spec, session.place.observe_cluster(spec))
    for ground in wanted.ground:
        if ground.kind != "launcher":
            continue
        show(ground.name, ground.request["body"]["content"], out)


def show_compose(spec: ClusterSpec, out: Path | None) -> None:
    """What Docker Compose would be handed, whether or not it is here."""
    from cai_deploy.places.compose.place import ComposePlace  # for whoever has Docker

    # asked for as if it were the place, so that what is not possible there is refused
    spec = specification.parse(spec.model_copy(update={"place": "compose"}).to_json(), source="--place compose")
    beside = PurePosixPath(layout.cluster_dir(spec.name))
    for name, text in ComposePlace(project_directory(spec), say=say).drafted(spec).files().items():
        show(str(PurePosixPath(name).relative_to(beside)), text, out)


def show(name: str, text: str, out: Path | None) -> None:
    """A file, printed or written below ``out``."""
    if out is None:
        click.echo(f"# ==> {name} <==\n{text}")
    else:
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        say(f"wrote {file}")
