"""``init``: the first cai-deploy.yaml of a directory, from what is said, asked, or found here. It writes no key."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from cai_deploy import source
from cai_deploy.api.http_session import normalise_host
from cai_deploy.api.schemas import Runtime
from cai_deploy.cli.doctor_workspace import usable
from cai_deploy.cli.init_answers import PLACES, Answers, ask, differing, project_named_after, written
from cai_deploy.cli.output import say
from cai_deploy.config import DEFAULT_FILE, load, load_target, parse
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.places.cai.runtimes import ENABLED
from cai_deploy.workspace import Workspace

DEFAULTS = Answers(place="cai", workers=1, cpu=2, memory=4, gpu=0)


@click.command("init")
@click.option("--place", type=click.Choice(PLACES), help="Where the nodes live. Default: cai, a workspace.")
@click.option("--host", "hosts", multiple=True, help="The workspace's address; with --place ssh, one of the hosts.")
@click.option("--project", help="The workspace's project. Default: named after this repository.")
@click.option("--workers", type=click.IntRange(0, 10_000), help="Workers.  [default: 1]")
@click.option("--cpu", type=click.FloatRange(0, 1024, min_open=True), help="vCPU of each node.  [default: 2]")
@click.option(
    "--memory", type=click.FloatRange(0, 16_384, min_open=True), help="Memory of each node, in GB.  [default: 4]"
)
@click.option("--gpu", type=click.IntRange(0, 64), help="GPUs of each worker.  [default: 0]")
@click.option("--runtime", help="The runtime image of all nodes. Default: the newest that fits, at the launch.")
@click.option("--force", is_flag=True, help="Write the file anew, though it is there and says otherwise.")
def command(force: bool, **told: Any) -> None:
    """Write cai-deploy.yaml: every key with its default and what it means, and what you want in its place.

    On a terminal it asks for what no option says. It finds out about the workspace (CML_HOST and CML_API_KEY, or a
    session's own variables), the project and the runtimes by itself. A file that is there is only written anew with
    --force, and a key never is.

    \b
    Examples:
      python -m cai_deploy init
      python -m cai_deploy init --workers 4 --cpu 8 --memory 32 --gpu 1
      python -m cai_deploy init --place ssh --host gpu1.example.com --host gpu2.example.com
    """
    known = normalised(Answers(**told))
    check(known)
    if DEFAULT_FILE.exists() and not force:
        show_that_it_is_there(known)
        return
    here = source.find(Path.cwd())
    workspace = find_workspace(known)
    project, because = find_project(workspace, here.remote if here else "")
    guesses = Answers(**{**as_dict(DEFAULTS), "project": project, "hosts": (workspace.host,) if workspace else ()})
    offers = Offers(workspace)
    if sys.stdin.isatty() and sys.stderr.isatty():
        answers = normalised(ask(known, guesses, offers.images))
    else:
        answers = filled(known, guesses)
        if answers.place == "cai" and known.project is None:
            say(f"project: {project} ({because})")
    if known.runtime:
        offers.require(known.runtime)
    text = written(answers, answers.host or (workspace.host if workspace else ""))
    parse(text, source="what init would write")
    write(text)
    show_next(answers, workspace)


class Offers:
    """The runtimes of a workspace, asked for at most once; none where it does not answer, which is told."""

    def __init__(self, workspace: Workspace | None) -> None:
        self._workspace = workspace
        self._found: list[Runtime] | None = None

    def images(self) -> list[str]:
        """The images that nodes can run on."""
        return [each.image_identifier for each in self._list() if each.status == ENABLED and each.python_version]

    def require(self, image: str) -> None:
        """Raises ConfigError when the workspace answers and has no such image."""
        if self._list():
            usable(image, self._list())

    def _list(self) -> list[Runtime]:
        if self._found is None:
            self._found = []
            try:
                self._found = self._workspace.client(attempts=1).runtimes.list() if self._workspace else []
            except DeployError as error:
                say(f"note: the workspace's runtimes are not known: {error}")
        return self._found


def check(known: Answers) -> None:
    """Raises ConfigError for options that do not go together."""
    place = known.place or "cai"
    if known.hosts and place not in ("cai", "ssh"):
        raise ConfigError("--host is the workspace's address or, with --place ssh, a host", next_step="leave it out")
    if place == "cai" and len(known.hosts) > 1:
        raise ConfigError("there is one workspace, and --host names several", next_step="for hosts: --place ssh")
    if known.runtime and place != "cai":
        raise ConfigError("--runtime is an image of a workspace", next_step="leave it out, or use --place cai")
    if place == "ssh" and not known.hosts and not sys.stdin.isatty():
        raise ConfigError("--place ssh needs hosts", next_step="add --host ADDRESS for each")


def normalised(known: Answers) -> Answers:
    """A workspace's address as it is written down. Raises ConfigError when it holds a user name, or is none."""
    if known.host and len(known.hosts) == 1:
        return replace(known, hosts=(normalise_host(known.host),))
    return known


def show_that_it_is_there(known: Answers) -> None:
    """Say that nothing has to be done. Raises ConfigError when the file says other than what is asked for."""
    if other := differing(known, load(DEFAULT_FILE)) if known != Answers() else []:
        raise ConfigError(
            f"{DEFAULT_FILE} is here already, and says otherwise",
            why="\n".join(other),
            next_step="edit it, or have it written anew with --force",
        )
    say(f"nothing to do: {DEFAULT_FILE} is here")


def find_workspace(known: Answers) -> Workspace | None:
    """The workspace to ask, None when there is no key for any."""
    environ = {**os.environ, **({"CML_HOST": known.host} if known.host else {})}
    try:
        target = load_target(environ)
    except ConfigError:  # no key: then nothing is asked
        return None
    return Workspace.of(target, environ) if target and known.place in (None, "cai") else None


def find_project(workspace: Workspace | None, remote: str) -> tuple[str, str]:
    """A project's name, and where it comes from."""
    if workspace and workspace.project_id:
        try:
            return workspace.client(attempts=1).projects.get(workspace.project_id).name, "the project that this runs in"
        except DeployError as error:
            say(f"note: the project that this runs in is not known: {error}")
    name = project_named_after(Path.cwd(), remote)
    return name, "after this repository" if remote else "after this directory"


def filled(known: Answers, guesses: Answers) -> Answers:
    """What is known, and guesses for what is not. A workspace's address is no part of the file."""
    found = {name: value if value is not None else getattr(guesses, name) for name, value in as_dict(known).items()}
    return Answers(**found)


def as_dict(answers: Answers) -> dict[str, Any]:
    """The answers by name."""
    return {each.name: getattr(answers, each.name) for each in fields(answers)}


def write(text: str) -> None:
    """Put the whole text there at once."""
    draft = DEFAULT_FILE.with_name(f".{DEFAULT_FILE.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(DEFAULT_FILE)
    say(f"wrote {DEFAULT_FILE}")


def show_next(answers: Answers, workspace: Workspace | None) -> None:
    """What to do with it."""
    if answers.place == "cai" and answers.host and not (workspace and os.environ.get("CML_HOST")):
        say(f"to use the workspace: export CML_HOST={answers.host}; export CML_API_KEY=<an API v2 key of it>")
    say("next: python -m cai_deploy doctor, then: python -m cai_deploy launch")
