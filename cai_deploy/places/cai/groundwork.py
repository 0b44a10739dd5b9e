"""The requests for what must stand before nodes can: project, code, environments, launchers, specification. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from cai_deploy import layout
from cai_deploy.places.cai import names
from cai_deploy.places.cai.environments import UNKNOWN_YET, NeededEnvironment
from cai_deploy.places.cai.fingerprints import fingerprint
from cai_deploy.render import Launcher
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Request, WantedGround

SHARED_MEMORY_SHARE = 0.35
"""Ray's object store takes 30 % of a node's memory from /dev/shm, which is 64 MB unless the project asks for more."""


def project(spec: ClusterSpec, git_url: str, git_ref: str) -> WantedGround:
    """The project, as a clone of ``git_url`` (``git_ref`` "" means the repository's default branch)."""
    largest_gb = max(spec.head.memory_gb, *(group.memory_gb for group in spec.workers), 0)
    body: dict[str, Any] = {
        "name": spec.project.name,
        "description": f"Ray cluster {spec.name}, by cai_deploy",
        "template": "git",
        "git_url": git_url,
        "default_project_engine_type": "ml_runtime",
        "shared_memory_limit": int(largest_gb * 1024 * SHARED_MEMORY_SHARE),
    }
    if git_ref:
        body["git_ref"] = git_ref
    return WantedGround("project", spec.project.name, "", {"method": "POST", "path": "/api/v2/projects", "body": body})


def code(spec: ClusterSpec, commit: str, runtime: str, project_id: str) -> WantedGround:
    """The project's clone, at ``commit``."""
    job = _job(names.SYNC_JOB, names.SYNC_SCRIPT, runtime, spec)
    return WantedGround("code", commit[:12], commit, _run(job, shlex.join(["--ref", commit]), project_id))


def environments(spec: ClusterSpec, needed: Iterable[NeededEnvironment], project_id: str) -> Iterator[WantedGround]:
    """Each environment once, made by a run of its setup job."""
    for need in dict.fromkeys(needed):
        job = _job(need.job, names.SETUP_SCRIPT, need.runtime, spec)
        yield WantedGround("environment", need.name, need.name, _run(job, setup_arguments(spec, need), project_id))


def setup_arguments(spec: ClusterSpec, need: NeededEnvironment) -> str:
    """The argument string of a setup run, by which the run is also found again."""
    options = {
        "--requirements": spec.environment.requirements,
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
