"""Opening what a verb works on: the workspace, the place in it, and the specification in force.

The only module that knows both wings: without a workspace in the environment it starts the local one and hands the
deployer its address and key, exactly as the environment would have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import config, source
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.transport import Transport
from cai_deploy.config import WorkspaceTarget
from cai_deploy.local_workspace import process as local_workspace
from cai_deploy.places.cai import CaiPlace
from cai_deploy.places.cai.build import Site
from cai_deploy.source import Source
from cai_deploy.spec import ClusterSpec


@dataclass(frozen=True)
class Session:
    """A place that is open. ``local`` is whether it is the local workspace."""

    place: CaiPlace
    target: WorkspaceTarget
    local: bool
    configured: ClusterSpec
    from_file: bool

    def spec_to_launch(self) -> ClusterSpec:
        """The file's specification; without a file, what the cluster was last launched with, or the defaults."""
        return self.configured if self.from_file else self.spec_in_force()

    def spec_in_force(self) -> ClusterSpec:
        """What the cluster was last launched with, whatever the file says now."""
        return self.place.observe_cluster(self.configured).applied_spec or self.configured


def tell_stderr(text: str) -> None:
    """One line of the story, where the story goes."""
    print(text, file=sys.stderr, flush=True)


def open_session(
    config_file: Path | None, *, sync_code: bool = False, tell: Callable[[str], None] = tell_stderr
) -> Session:
    """Open the workspace that the environment names, or the local one; the first line told says which, and why."""
    spec = config.load(config_file)
    target = config.load_target(os.environ)
    local = target is None
    if target is None:
        endpoint = local_workspace.start(implicit=True)
        target = WorkspaceTarget(endpoint.host, endpoint.api_key, None, "no CML_HOST is set")
        tell(f"place: the local workspace at {endpoint.host} ({target.found_in}; {endpoint.note})")
    else:
        tell(f"place: the workspace at {target.host} (from {target.found_in})")
    transport = Transport(target.host, target.api_key)
    site = _site(spec, source.find(Path.cwd()), transport.host, sync_code=sync_code, tell=tell)
    place = CaiPlace(
        Client(transport),
        ApplicationHttp(transport.host, target.api_key),
        site,
        project_id=target.project_id,
        say=tell,
    )
    from_file = config_file is not None or config.DEFAULT_FILE.is_file()
    return Session(place, target, local, spec, from_file)


def is_this_machine(host: str) -> bool:
    """Whether a workspace runs here, and so can clone a directory."""
    return host.startswith(("http://localhost:", "http://127."))


def _site(spec: ClusterSpec, here: Source | None, host: str, *, sync_code: bool, tell: Callable[[str], None]) -> Site:
    """What the project clones: the repository that the specification names, else the one we stand in."""
    own = spec.project.git_url is None
    url = spec.project.git_url or (_clonable(here, host) if here else "")
    ref = spec.project.git_ref or (here.branch if here and own else "")
    commit = ""
    if sync_code:
        commit = here.commit if here and own and not spec.project.git_ref else source.resolve(url, ref or "HEAD")
        if here and own and here.edited:
            tell("note: edits that are not committed are not deployed")
    return Site(host, url, ref, commit)


def _clonable(here: Source, host: str) -> str:
    return str(here.directory) if is_this_machine(host) else here.remote
