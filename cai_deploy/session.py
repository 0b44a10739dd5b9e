"""Opening what a verb works on: the workspace, the place in it, and the specification in force.

The only module that knows both wings: without a workspace in the environment it starts the local one and hands the
deployer its address and key, exactly as the environment would have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cai_deploy import config, source
from cai_deploy.access import Access
from cai_deploy.api.http_session import normalise_host
from cai_deploy.clock import Clock, SystemClock
from cai_deploy.config import WorkspaceTarget
from cai_deploy.errors import ConfigError
from cai_deploy.local_workspace import process as local_workspace
from cai_deploy.places.base import HeadSilent, NotPossibleHere, Place, PlaceObservation
from cai_deploy.places.cai import CaiPlace
from cai_deploy.places.cai.site import site_of
from cai_deploy.project.job import SCHEDULED
from cai_deploy.reconcile import PARALLELISM
from cai_deploy.redaction import Redaction
from cai_deploy.source import Source
from cai_deploy.spec import ClusterSpec
from cai_deploy.workspace import Workspace

LOOK = 1.0
"""Seconds between two looks at a head that does not answer."""


@dataclass(frozen=True)
class Session:
    """A place that is open. ``target`` is the workspace, None where there is none; ``local`` whether it is our own."""

    place: Place[Any]
    target: Workspace | None
    local: bool
    configured: ClusterSpec
    from_file: bool
    parallelism: int = PARALLELISM

    def of(self, cluster: str | None) -> Session:
        """The same for ``cluster``: what it was last launched with counts, unless the specification here is its own."""
        if cluster in (None, self.configured.name):
            return self
        return replace(self, configured=self.configured.model_copy(update={"name": cluster}), from_file=False)

    def spec_to_launch(self) -> ClusterSpec:
        """The file's specification; without a file, what the cluster was last launched with, or the defaults."""
        return self.configured if self.from_file else self.spec_in_force()

    def spec_in_force(self) -> ClusterSpec:
        """What the cluster was last launched with, whatever the file says now."""
        return self.observe_cluster().applied_spec or self.configured

    def observe_cluster(self) -> PlaceObservation:
        """The cluster that the specification names, as it is now."""
        seen: PlaceObservation = self.place.observe_cluster(self.configured)
        return seen

    def access(self, *, patience: float = 0.0, clock: Clock | None = None) -> Access:
        """How a client reaches the head of the cluster that the specification names. Raises NoHead when none can.

        A head that is up before its dashboard is, or that is just moving, is waited for ``patience`` seconds.
        """
        clock = clock or SystemClock()
        end = clock.now() + patience
        while True:
            try:
                return self.place.access(self.configured)
            except HeadSilent as silent:
                if not silent.retry_helps or clock.now() >= end:
                    raise
            clock.sleep(LOOK)


def tell_stderr(text: str) -> None:
    """One line of the story, where the story goes."""
    print(text, file=sys.stderr, flush=True)


def open_session(
    config_file: Path | None,
    *,
    spec: ClusterSpec | None = None,
    workspace: Workspace | None = None,
    sync_code: bool = False,
    reads_code: bool = False,
    parallelism: int = PARALLELISM,
    tell: Callable[[str], None] = tell_stderr,
) -> Session:
    """Open the place that the specification names; the first line told says where it is, and why.

    A workspace is the one that is given, or that the environment names, or the local one. ``spec`` counts instead of
    any file. ``sync_code`` asks for the newest commit, ``reads_code`` for which one the project is at.
    """
    from_file = spec is not None or config_file is not None or config.find_file() is not None
    spec = spec or config.load(config_file)
    if spec.place == "slurm":
        if sync_code:
            raise NotPossibleHere(
                "there is no clone to bring to a commit: on Slurm the files are those of your directory",
                next_step="bring them there as you like (`git pull`), then: python -m cai_deploy launch",
            )
        return Session(_slurm(spec, tell), None, False, spec, from_file, parallelism)
    if spec.place == "compose":
        return Session(_compose(spec, tell), None, False, spec, from_file, parallelism)
    if spec.place == "ssh":
        if sync_code:
            raise NotPossibleHere(
                "there is no clone to bring to a commit: hosts get what stands in this directory",
                next_step="python -m cai_deploy launch",
            )
        return Session(_ssh(spec, tell), None, False, spec, from_file, parallelism)
    workspace, local = _workspace(workspace, tell)
    host = normalise_host(workspace.host)
    here = source.find(Path.cwd())
    site = site_of(spec.project, here, host, sync_code=sync_code, environ=os.environ)
    if sync_code and here and not spec.project.git_url and source.has_edits(here):
        tell("note: edits that are not committed are not deployed")
    place = CaiPlace(
        workspace.client(parallelism=parallelism),
        workspace.door(),
        replace(site, own_job=os.environ.get(SCHEDULED, ""), lock=_lock_at(site.commit, here, spec)),
        project_id=workspace.project_id,
        reads_code=reads_code,
        say=tell,
        redact=Redaction([workspace.api_key]),
    )
    return Session(place, workspace, local, spec, from_file, parallelism)


def _lock_at(commit: str, here: Source | None, spec: ClusterSpec) -> str | None:
    """The lock file at a commit that the project has not yet, so that a plan tells what it changes of the nodes."""
    return source.read(here, commit, spec.environment.requirements) if here and commit else None


def _workspace(given: Workspace | None, tell: Callable[[str], None]) -> tuple[Workspace, bool]:
    """The workspace to talk to, and whether it is our own on this machine."""
    target = config.load_target(os.environ) if given is None else None
    workspace = Workspace.of(target, os.environ) if target else given
    if workspace:
        tell(f"place: the workspace at {workspace.host} (from {workspace.found_in})")
        return workspace, False
    endpoint = local_workspace.start(implicit=True)
    target = WorkspaceTarget(endpoint.host, endpoint.api_key, None, "no CML_HOST is set")
    tell(f"place: the local workspace at {endpoint.host} ({target.found_in}; {endpoint.note})")
    return Workspace.of(target, os.environ), True


def _slurm(spec: ClusterSpec, tell: Callable[[str], None]) -> Place[Any]:
    from cai_deploy.places.slurm.place import SlurmPlace  # for whoever has a Slurm

    directory = project_directory(spec)
    tell(f"place: Slurm, with the files in {directory}")
    return SlurmPlace(directory, say=tell)


def _compose(spec: ClusterSpec, tell: Callable[[str], None]) -> Place[Any]:
    from cai_deploy.places.compose.place import ComposePlace  # for whoever has Docker

    directory = project_directory(spec)
    tell(f"place: Docker Compose, with the files in {directory}")
    return ComposePlace(directory, say=tell)


def _ssh(spec: ClusterSpec, tell: Callable[[str], None]) -> Place[Any]:
    try:
        from cai_deploy.places.ssh.opening import open_place  # for whoever has hosts
    except ModuleNotFoundError as missing:
        if missing.name != "asyncssh":
            raise
        raise ConfigError(
            "place: ssh needs a library that is not installed: asyncssh",
            next_step="pip install 'cai-deploy[ssh]'",
        ) from missing
    tell(f"place: {len(spec.hosts)} hosts over SSH: {', '.join(host.name for host in spec.hosts)}")
    return open_place(project_directory(spec), say=tell)


def project_directory(spec: ClusterSpec) -> Path:
    """The directory that all nodes share: the one in the specification, or else the checkout that we stand in."""
    named = spec.compose.directory if spec.place == "compose" else spec.slurm.directory
    if named:
        return Path(named).expanduser()
    here = source.find(Path.cwd())
    return here.directory if here else Path.cwd()
