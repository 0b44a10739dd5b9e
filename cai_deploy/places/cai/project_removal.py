"""Removing a whole project: only one of our own making, and only when nobody else has anything in it."""

from __future__ import annotations

from cai_deploy.api.client import Client
from cai_deploy.api.errors import NotFound
from cai_deploy.api.schemas import Project
from cai_deploy.errors import DeployError, NotConverged
from cai_deploy.places.cai.contents import cluster_names
from cai_deploy.places.cai.groundwork import MADE_BY
from cai_deploy.spec import ClusterSpec


class ProjectNotOurs(DeployError):
    """The project must not be removed with the cluster."""


def delete_project(client: Client, spec: ClusterSpec, project_id: str) -> str:
    """Remove the project of ``spec``, or the one with ``project_id``; its name, "" when there is none.

    Raises ProjectNotOurs when it was not made for a cluster or is used by others, NotConverged when it does not go.
    """
    project = _project(client, spec, project_id)
    if project is None:
        return ""
    used_by = _users(client, project.id)
    if MADE_BY not in project.environment or used_by:
        raise ProjectNotOurs(
            f"project {project.name} is kept",
            why=f"it still has {', '.join(used_by)}" if used_by else "it was not made by cai_deploy",
            next_step="remove it in the workspace's own pages, if nobody needs it",
        )
    client.projects.delete(project.id)
    if _project(client, spec, project.id):
        raise NotConverged(
            f"project {project.name} ({project.id}) is still there", next_step="run `down --project` again"
        )
    return project.name


def _project(client: Client, spec: ClusterSpec, project_id: str) -> Project | None:
    if not project_id:
        return client.projects.find(spec.project.name)
    try:
        return client.projects.get(project_id)
    except NotFound:
        return None


def _users(client: Client, project_id: str) -> list[str]:
    """Who else is in the project: applications, whosever they are, and clusters."""
    applications = [application.name for application in client.applications.list(project_id)]
    return applications + [f"cluster {name}" for name in cluster_names(client, project_id)]
