"""The requests for what must stand before nodes can: project, code, environments, launchers, specification. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cai_deploy import layout
from cai_deploy.places.cai import names
from cai_deploy.places.cai.environments import UNKNOWN_YET, NeededEnvironment
from cai_deploy.places.cai.site import Credential, Site
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.render import Launcher
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Request, WantedGround

MADE_BY = "CAI_DEPLOY_PROJECT"
"""The variable by which a project is known to be our own making; one that was there before us has none."""

EMPTY = "local"
"""The workspace's word for a project that begins without files."""

DEFAULT_REF = "HEAD"
"""By which a repository means the branch that it begins with."""

SHARED_MEMORY_SHARE = 0.35
"""Ray's object store takes 30 % of a node's memory from /dev/shm, which is 64 MB unless the project asks for more."""


def project(spec: ClusterSpec, site: Site) -> WantedGround:
    """The project: a clone of the site's repository, or empty without one, or where we have to make the clone."""
    git_url = "" if site.credential else site.git_url
    largest_gb = max(spec.head.memory_gb, *(group.memory_gb for group in spec.workers), 0)
    body: dict[str, Any] = {
        "name": spec.project.name,
        "description": f"Ray cluster {spec.name}, by cai_deploy",
        **({"template": "git", "git_url": git_url} if git_url else {"template": EMPTY}),
        "default_project_engine_type": "ml_runtime",
        "environment": {MADE_BY: spec.name},
        "shared_memory_limit": int(largest_gb * 1024 * SHARED_MEMORY_SHARE),
    }
    if git_url and site.git_ref:
        body["git_ref"] = site.git_ref
    return WantedGround("project", spec.project.name, "", {"method": "POST", "path": "/api/v2/projects", "body": body})


def repository(spec: ClusterSpec, site: Site, runtime: str, project_id: str) -> Iterator[WantedGround]:
    """The project's clone at the site's commit, or at any if we have to begin it; before it, what opens the origin."""
    opened = site.credential if site.git_url else None
    if opened and opened.secret:
        yield credential(opened, project_id)
    if site.commit or opened:
        ref = site.commit or site.git_ref or DEFAULT_REF
        arguments = ["--ref", ref, *(["--url", site.git_url] if opened else [])]
        job = _job(names.SYNC_JOB, names.SYNC_SCRIPT, runtime, spec)
        name = ref[:12] if site.commit else ref
        yield WantedGround("code", name, site.commit, _run(job, shlex.join(arguments), project_id))


def credential(opened: Credential, project_id: str) -> WantedGround:
    """What opens a private repository, as a file of the project. Its content is put in when it is sent."""
    path = layout.git_access_file(opened.kind)
    want = _file("credential", path, opened.secret, project_id)
    return replace(want, request={**want.request, "body": {"path": path, "content": f"(your {opened.kind})"}})


def environments(spec: ClusterSpec, needed: Iterable[NeededEnvironment], project_id: str) -> Iterator[WantedGround]:
    """Each environment once, made by a run of its setup job."""
    for need in dict.fromkeys(needed):
        job = _job(need.job, names.SETUP_SCRIPT, need.runtime, spec)
        yield WantedGround("environment", need.name, need.name, _run(job, setup_arguments(need), project_id))


def setup_arguments(need: NeededEnvironment) -> str:
    """The argument string of a setup run, by which the run is also found again."""
    options = {
        "--requirements": need.lock_file,
        "--python": need.python,
        "--runtime": need.runtime,
        "--environment": need.name,
    }
    return shlex.join(word for option in options.items() for word in option)


def launchers(rendered: Iterable[Launcher], project_id: str) -> Iterator[WantedGround]:
    """Each launcher as a file at the project's root."""
    for launcher in rendered:
        yield _file("launcher", launcher.path, launcher.text, project_id)


def specification(spec: ClusterSpec, project_id: str) -> WantedGround:
    """The wanted state itself, kept in the project so that ``scale`` and ``status`` know it from anywhere."""
    return _file("specification", layout.applied_spec_file(spec.name), spec.to_json(), project_id)


def record(spec: ClusterSpec, needed: Mapping[str, NeededEnvironment], project_id: str) -> WantedGround:
    """What was reached, to go back to: the specification with its environments pinned, as the lock file may change."""
    pinned = {group: environment.name for group, environment in needed.items()}
    environment = spec.environment.model_copy(update={"pinned": pinned})
    reached = spec.model_copy(update={"environment": environment})
    return _file("record", layout.converged_spec_file(spec.name), reached.to_json(), project_id)


def _file(kind: str, path: str, text: str, project_id: str) -> WantedGround:
    request = {
        "method": "POST",
        "path": f"/api/v2/projects/{project_id}/files",
        "body": {"path": path, "content": text},
    }
    return WantedGround(kind, path, fingerprint(text), request)


def _job(name: str, script: str, runtime: str, spec: ClusterSpec) -> dict[str, Any]:
    return {
        "name": name,
        "script": script,
        "runtime_identifier": runtime,
        "cpu": 1.0,
        "memory": 4.0,
        "timeout": int(spec.timeouts.setup),
        "kill_on_timeout": True,
    }


def _run(job: dict[str, Any], arguments: str, project_id: str) -> Request:
    """A run of ``job``, which is created or brought up to date first. Its id is not known before."""
    return {
        "method": "POST",
        "path": f"/api/v2/projects/{project_id}/jobs/{UNKNOWN_YET}/runs",
        "job": job,
        "body": {"arguments": arguments},
    }
