"""Everything that a cluster has written, gathered before anything of it goes. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy.api.client import Client
from cai_deploy.diagnosis import Exhibit
from cai_deploy.places import evidence
from cai_deploy.places.cai import names
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.project_files import CaiFiles
from cai_deploy.places.cai.setup_runs import ACTIVE, JOB_LOGS
from cai_deploy.state import GroundState

OUR_JOBS = (names.SETUP_JOB, names.SYNC_JOB)


def gather(client: Client, seen: CaiObservation, cluster: str) -> tuple[Exhibit, ...]:
    """The states of project, runs and applications, and the ends of the logs of jobs and nodes."""
    if seen.project is None:
        return ()
    project_id = seen.project.id
    jobs = {f"log of the {kind} job": path for kind, path in JOB_LOGS.items()}
    exhibits = (
        Exhibit("the project", "\n".join(_project_lines(seen))),
        Exhibit("the nodes", evidence.node_lines(seen.nodes)),
        evidence.read("the jobs' runs", lambda: "\n".join(_run_lines(client, project_id))),
        *evidence.written(CaiFiles(client.files, project_id), cluster, seen.nodes, jobs),
    )
    return tuple(exhibit for exhibit in exhibits if exhibit.text)


def _project_lines(seen: CaiObservation) -> Iterator[str]:
    for ground in seen.ground:
        if ground.state is not GroundState.READY:
            yield f"{ground.kind} {ground.name}: {ground.state.value}, {ground.reason}"


def _run_lines(client: Client, project_id: str) -> Iterator[str]:
    for job in client.jobs.list(project_id):
        if job.name.startswith(OUR_JOBS):
            for run in client.jobs.list_runs(project_id, job.id, limit=1):
                yield f"{job.name}: {run.status}, {ACTIVE.get(run.status, 'it has ended')}"
