"""Reading a whole project, whatever clusters it has: for those who clean up."""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.errors import NotFound
from cai_deploy.api.schemas import FileInfo, Job
from cai_deploy.places.cai import names
from cai_deploy.places.cai.kept import SPARE
from cai_deploy.places.cai.leftovers import Cluster, Contents
from cai_deploy.places.cai.setup_runs import ACTIVE, environment_ready
from cai_deploy.places.written import parse_applied
from cai_deploy.render import LAUNCHER_SIGN
from cai_deploy.spec import ClusterSpec

LAUNCHER = "_launcher"


def read_contents(client: Client, project_id: str) -> Contents:
    """What the project holds of ours."""
    jobs = client.jobs.list(project_id)
    return Contents(
        project_id,
        tuple(client.applications.list(project_id)),
        {name: _cluster(client, project_id, name) for name in cluster_names(client, project_id)},
        {
            name: environment_ready(client, project_id, name)
            for name in _directories(client, project_id, layout.ENVIRONMENTS_DIR)
        },
        tuple(_launchers(client, project_id)),
        _builds(client, project_id, jobs),
        tuple(jobs),
    )


def cluster_names(client: Client, project_id: str) -> list[str]:
    """The clusters that the project keeps anything of."""
    return _directories(client, project_id, layout.CLUSTERS_DIR)


def _cluster(client: Client, project_id: str, name: str) -> Cluster:
    files = tuple(entry.path for entry in _listed(client, project_id, layout.cluster_dir(name)) if not entry.is_dir)
    spec = _spec(client, project_id, layout.applied_spec_file(name))
    return Cluster(spec, _spec(client, project_id, layout.converged_spec_file(name)), files)


def _spec(client: Client, project_id: str, path: str) -> ClusterSpec | None:
    text = client.files.read_text(project_id, path)
    return parse_applied(text if text is not None else client.files.read_text(project_id, path + SPARE))


def _launchers(client: Client, project_id: str) -> Iterator[str]:
    for entry in _listed(client, project_id, ""):
        may_be = LAUNCHER in entry.path and not entry.is_dir
        if may_be and LAUNCHER_SIGN in (client.files.read_text(project_id, entry.path) or ""):
            yield entry.path


def _builds(client: Client, project_id: str, jobs: list[Job]) -> bool:
    building = [job for job in jobs if job.name.startswith(names.SETUP_JOB) or job.script == names.SETUP_SCRIPT]
    return any(run.status in ACTIVE for job in building for run in client.jobs.list_runs(project_id, job.id))


def _directories(client: Client, project_id: str, path: str) -> list[str]:
    return [entry.path for entry in _listed(client, project_id, path) if entry.is_dir]


def _listed(client: Client, project_id: str, path: str) -> list[FileInfo]:
    try:
        return client.files.list(project_id, path)
    except NotFound:
        return []
