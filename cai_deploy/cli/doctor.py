"""``doctor``: whether a cluster can be launched from here, and what a mesh has to be told.

It changes nothing, but for ending what was left over, if it is told to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from cai_deploy import config as specification
from cai_deploy import mesh, source
from cai_deploy.cli.checks import Agree, Check, lines
from cai_deploy.cli.options import config_option, host_keys_option, json_option
from cai_deploy.cli.output import show_json
from cai_deploy.config import WorkspaceTarget
from cai_deploy.errors import ConfigError
from cai_deploy.session import project_directory, tell_stderr
from cai_deploy.spec import ClusterSpec
from cai_deploy.workspace import Workspace


@click.command("doctor")
@click.option(
    "--mesh-manifest", is_flag=True, help="Print what lets the cluster's ports through a strict mesh (Istio)."
)
@click.option("--namespace", default="NAMESPACE", show_default=True, help="With --mesh-manifest: where the pods run.")
@click.option("--label", default="LABEL=VALUE", show_default=True, help="With --mesh-manifest: a label of the pods.")
@click.option("--clean-up", is_flag=True, help="With hosts over SSH: end what a cluster has left there.")
@host_keys_option
@config_option
@json_option
def command(
    mesh_manifest: bool, namespace: str, label: str, clean_up: bool, config: Path | None, as_json: bool
) -> None:
    """Look whether a cluster could be launched from here: the specification, the workspace, the key, what it may use.

    The exit code is that of the first line that says failed; a warning is none.

    \b
    Examples:
      python -m cai_deploy doctor
      python -m cai_deploy doctor --json
      python -m cai_deploy doctor --mesh-manifest --namespace user-1 --label app=ray
    """
    if mesh_manifest:
        text = mesh.manifest(specification.load(config), namespace, label)
        if as_json:
            show_json({"manifest": text})
        else:
            click.echo(text, nl=False)
        return
    checks = list(look(config, _agree(clean_up=clean_up)))
    if as_json:
        show_json({"checks": [{**asdict(check), "ok": check.ok, "status": check.status} for check in checks]})
    else:
        click.echo("\n".join(line for check in checks for line in lines(check)))
    sys.exit(next((check.exit_code for check in checks if not check.ok), 0))


def look(config: Path | None, agree: Agree = lambda _: False) -> Iterator[Check]:
    """One check after the other; what cannot be looked at any more after a failure is left out.

    What was left over, and ``agree`` agrees to, is ended.
    """
    spec: ClusterSpec | None = None
    try:
        spec = specification.load(config)
        yield Check("specification", f"valid: cluster {spec.name}, {len(list(spec.members()))} nodes")
    except ConfigError as error:
        yield Check.failed("specification", error)
    else:
        if spec.place == "slurm":
            yield from look_at_slurm(spec)
            return
        if spec.place == "compose":
            yield from look_at_compose(spec)
            return
        if spec.place == "ssh":
            yield from look_at_ssh(spec, agree)
            return
    try:
        target = specification.load_target(os.environ)
    except ConfigError as error:
        yield Check.failed("workspace", error)
        return
    if target is None:
        yield Check("workspace", "the local one, on this machine: no CML_HOST is set")
        return
    yield from look_at_workspace(spec, target)


def look_at_slurm(spec: ClusterSpec) -> Iterator[Check]:
    """Whether the cluster's jobs can be submitted from here."""
    from cai_deploy.cli import doctor_slurm  # for whoever has a Slurm
    from cai_deploy.places.slurm.queue import Queue

    yield from doctor_slurm.look_at(spec, project_directory(spec), Queue())


def look_at_compose(spec: ClusterSpec) -> Iterator[Check]:
    """Whether the cluster's containers can be made here."""
    from cai_deploy.cli import doctor_compose  # for whoever has Docker
    from cai_deploy.places.compose.engine import Engine

    yield from doctor_compose.look_at(spec, project_directory(spec), Engine())


def look_at_ssh(spec: ClusterSpec, agree: Agree) -> Iterator[Check]:
    """Whether the hosts are reached, fit together and reach each other."""
    from cai_deploy.cli import doctor_ssh  # for whoever has hosts
    from cai_deploy.places.ssh.opening import open_connections

    yield from doctor_ssh.look_at(spec, open_connections(tell_stderr), agree)


def _agree(*, clean_up: bool) -> Agree:
    """Whether to end what is named: as was said, or as a person says who is asked."""
    if clean_up:
        return lambda _: True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return lambda _: False
    return lambda told: click.confirm(f"{told}\nEnd just those?", err=True)


def look_at_workspace(spec: ClusterSpec | None, target: WorkspaceTarget) -> Iterator[Check]:
    """Whether the workspace answers to this key, and can give what is asked for."""
    from cai_deploy.cli import doctor_workspace  # for whoever has a workspace

    try:
        workspace = Workspace.of(target, os.environ)
    except ConfigError as error:
        yield Check.failed("workspace", error)
        return
    yield from doctor_workspace.look_at(spec, workspace, source.find(Path.cwd()))
