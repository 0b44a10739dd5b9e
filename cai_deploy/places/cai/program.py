"""The program as groundwork of a project: two archives, the scripts of our jobs, and a lock file.

They stand below our own directory, so that any repository can be a cluster's, and one without any. What they are is
told by one small file that is written last. The archives are named by what they hold and so are never replaced; those
of the program before stay, as nodes still run on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePosixPath

from cai_deploy import layout, shipped
from cai_deploy.api.client import Client
from cai_deploy.api.errors import NotFound
from cai_deploy.places import archive
from cai_deploy.places.cai import names
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.state import Step, WantedGround

KIND = "program"
JOBS = ("git_sync", "setup_environment", "launch_ray_cluster", "watchdog", "deployer")
JOB_BEGINS = """# Written by cai_deploy with each upgrade: which program it is that this job runs.
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() / "{archive}"))

"""

UPLOADS = 4
"""At a time."""


def wanted(project_id: str) -> WantedGround:
    """The program that runs here, in the project."""
    text = _told()
    request = {
        "method": "POST",
        "path": f"/api/v2/projects/{project_id}/files",
        "body": {"path": layout.PROGRAM_FILE, "content": text},
        "before": sorted(_files()),
    }
    return WantedGround(KIND, layout.PROGRAM_FILE, fingerprint(text), request)


def upload(client: Client, project_id: str, step: Step) -> None:
    """Put everything there that is not, the file that tells of it last, and take away what nothing runs any more."""
    request = step.request or {}
    stale = _named(client.files.read_text(project_id, layout.PROGRAM_FILE))
    there = _listed(client, project_id, layout.CODE_DIR) | _listed(client, project_id, layout.JOBS_DIR)
    files = _files()

    def put(path: str) -> None:
        if path not in there:
            client.files.create(project_id, path, files[path]())
        elif not _is_archive(path):
            client.files.upload(project_id, path, files[path]())

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(put, request["before"]))
    body = request["body"]
    client.files.upload(project_id, body["path"], body["content"].encode())
    kept = stale | _named(body["content"])
    for path in there:
        if PurePosixPath(path).parent.as_posix() == layout.CODE_DIR and _is_archive(path) and path not in kept:
            client.files.delete(project_id, path)
            client.files.delete(project_id, path.removesuffix(".zip"))


def remove(client: Client, project_id: str, say: Callable[[str], None]) -> None:
    """Take all of it away, with the jobs that ran it for us. For a job of somebody's own it stays, which is said."""
    jobs = [job for job in client.jobs.list(project_id) if job.script.startswith(f"{layout.JOBS_DIR}/")]
    others = [job.name for job in jobs if not job.name.startswith((names.SETUP_JOB, names.SYNC_JOB))]
    if others:
        say(f"the program stays in the project, as it is what {', '.join(sorted(others))} runs")
        return
    for job in jobs:
        client.jobs.delete(project_id, job.id)
    for directory in (layout.CODE_DIR, layout.JOBS_DIR, layout.GIT_ACCESS_DIR):
        client.files.delete(project_id, directory)


def _told() -> str:
    return json.dumps({"program": archive.whole_digest(), "of_nodes": archive.node_digest()}, indent=2) + "\n"


def _named(told: str | None) -> set[str]:
    """The archives that a text like ours names; none when it is no such text."""
    try:
        return {layout.code_archive(str(digest)) for digest in json.loads(told or "{}").values()}
    except (ValueError, AttributeError):
        return set()


def _files() -> Mapping[str, Callable[[], bytes]]:
    """Everything but the file that tells of it: by its path in the project, how its content is made."""
    return {
        layout.code_archive(archive.whole_digest()): lambda: archive.pack(archive.whole()),
        layout.code_archive(archive.node_digest()): lambda: archive.pack(archive.of_nodes()),
        layout.SHIPPED_LOCK_FILE: lambda: shipped.find(shipped.LOCK).read_bytes(),
        **{layout.job_script(job): partial(_job_script, job) for job in JOBS},
    }


def _job_script(job: str) -> bytes:
    """The script of ``job``, with the way to its program put before it."""
    return JOB_BEGINS.format(archive=layout.code_archive(archive.whole_digest())).encode() + (
        shipped.find(f"{shipped.JOBS}/{job}.py").read_bytes()
    )


def _is_archive(path: str) -> bool:
    return PurePosixPath(path).suffix == ".zip"


def _listed(client: Client, project_id: str, directory: str) -> set[str]:
    try:
        return {f"{directory}/{entry.path}" for entry in client.files.list(project_id, directory)}
    except NotFound:
        return set()
