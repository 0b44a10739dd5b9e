"""From a record to the pod that runs it: argv, environment, log. Common to applications and job runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cai_deploy.local_workspace import engine, environment, rules
from cai_deploy.local_workspace.faults.rules import Kind
from cai_deploy.local_workspace.kubelet.messages import PodSpec
from cai_deploy.local_workspace.pods import Place
from cai_deploy.local_workspace.runtimes import Runtime
from cai_deploy.local_workspace.store import Record
from cai_deploy.local_workspace.workspace import Workspace

SMALLEST_SHM = 256 << 20
SHM_SHARE = 0.5
SHM_OF_DOCKER = 64 << 20


@dataclass(frozen=True)
class PodNote:
    """What a record keeps of its pod, so that a later server can find it."""

    name: str
    generation: int
    address: str
    port: int
    scratch: str

    @property
    def place(self) -> Place:
        """Where it is reached."""
        return Place(self.address, self.port)

    def stored(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


def argv(runtime: Runtime, project_dir: Path, script: str, kernel: str) -> list[str]:
    """A file of the project runs as a notebook would run it, anything else is a line for the shell."""
    if is_project_file(project_dir, script):
        return [str(runtime.interpreter), "-u", engine.__file__, script, kernel]
    return ["/bin/sh", "-c", script]


def kept_of_tmp(needed: Iterable[str], scratch: str) -> list[str]:
    """The directories right below /tmp that hold something ``needed``; usually none, as little of worth is there."""
    parts = [PurePosixPath(path).parts for path in needed if path.startswith("/tmp/")]  # noqa: S108
    tops = {Path(*each[:3]) for each in parts if len(each) > 2} - {Path(scratch)}
    return sorted(str(top) for top in tops if top.is_dir())


def is_project_file(project_dir: Path, script: str) -> bool:
    """Whether ``script`` names a file in the project."""
    try:
        return rules.path_in_project(project_dir, script).is_file()
    except (rules.Refused, OSError):
        return False


async def pod_spec(
    workspace: Workspace,
    shown: Mapping[str, Any],
    script: str,
    project_id: str,
    note: PodNote,
    *layers: Mapping[str, str],
) -> PodSpec:
    """The pod for an application or run (``shown``) of a project; later ``layers`` of variables win."""
    project = workspace.require("project", project_id).shown
    project_dir = workspace.home.project(project_id)
    runtime = await workspace.runtime(shown["runtime_identifier"])
    facts = environment.Facts(
        workload_id=shown["id"],
        engine_id=note.name,
        project_id=project_id,
        project_name=project["slug"].rpartition("/")[2],
        project_dir=project_dir,
        tools=workspace.tools(runtime),
        scratch=note.scratch,
        api_port=workspace.port,
        api_key=workspace.api_key,
        address=note.address,
        app_port=note.port,
        cpu=shown["cpu"],
        memory_gb=shown["memory"],
    )
    env = environment.workload_environment(facts, *layers)
    return PodSpec(
        name=note.name,
        argv=argv(runtime, project_dir, script, workspace.settings.kernel),
        env=env,
        cwd=str(project_dir),
        log=str(workspace.home.workload_log(shown["id"])),
        hostname=shown.get("subdomain", ""),
        address=note.address,
        scratch=note.scratch,
        keep=kept_of_tmp(
            [str(workspace.home.root), engine.__file__, str(runtime.interpreter), *env.values()], note.scratch
        ),
        shm_bytes=_shm_bytes(workspace, shown, project_id),
    )


def _shm_bytes(workspace: Workspace, shown: Mapping[str, Any], project_id: str) -> int:
    if workspace.faults.strikes(Kind.SMALL_SHM, Record("", shown["id"], project_id, dict(shown))):
        return SHM_OF_DOCKER
    return max(SMALLEST_SHM, environment.memory_bytes(shown, SHM_SHARE))
