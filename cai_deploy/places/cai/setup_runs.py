"""Whether an environment stands, is being built, or failed to build, read from the project's files and job runs."""

from __future__ import annotations

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import JobRun
from cai_deploy.places.cai.texts import Texts
from cai_deploy.shell import last_lines
from cai_deploy.state import Ground, GroundState, WantedGround

ACTIVE = {
    "ENGINE_SCHEDULING": "its job waits for a place to run",
    "ENGINE_STARTING": "its job is starting",
    "ENGINE_RUNNING": "its job is running",
    "ENGINE_STOPPING": "its job is stopping",
    "ENGINE_UNKNOWN": "the workspace does not know the state of its job",
}
SUCCEEDED = "ENGINE_SUCCEEDED"
ENDED_BADLY = ("ENGINE_FAILED", "ENGINE_TIMEDOUT", "ENGINE_STOPPED", "ENGINE_SKIPPED")

GIT_HEAD = ".git/HEAD"
BRANCH = "ref: refs/heads/"
GIT_PACKED = ".git/packed-refs"

JOB_LOGS = {
    "environment": layout.job_log_file("setup_environment"),
    "code": layout.job_log_file("git_sync"),
}


def observe_job_ground(client: Client, project_id: str, want: WantedGround, missing: str) -> Ground:
    """Groundwork that a job makes. ``missing`` says what its result lacks, "" when it stands, whoever made it."""
    if not missing:
        return Ground(want.kind, want.name, GroundState.READY, want.fingerprint)
    run = _last_run(client, project_id, want)
    if run is None or run.status == SUCCEEDED:
        return Ground(want.kind, want.name, GroundState.ABSENT, reason=missing)
    if run.status in ENDED_BADLY:
        return Ground(want.kind, want.name, GroundState.FAILED, reason=f"its job ended as {run.status}")
    return Ground(
        want.kind, want.name, GroundState.IN_PROGRESS, reason=ACTIVE.get(run.status, f"its job is {run.status}")
    )


def job_log_tail(client: Client, project_id: str, kind: str) -> str:
    """The end of what the kind's job wrote; API v2 has no run logs, so our jobs keep theirs in a file."""
    return last_lines(client.files.read_text(project_id, JOB_LOGS[kind]) or "")


def environment_ready(client: Client, project_id: str, environment: str) -> bool:
    """Whether the setup job has finished this environment; its mark is written last."""
    return client.files.exists(project_id, layout.environment_ready_file(environment))


def checked_out_branch(texts: Texts, project_id: str) -> str:
    """The branch that the project's clone is on; "" when it is on none, or there is no clone."""
    head = (texts.read(project_id, [GIT_HEAD])[GIT_HEAD] or "").strip()
    return head.removeprefix(BRANCH) if head.startswith(BRANCH) else ""


def checked_out_commit(texts: Texts, project_id: str) -> str:
    """The commit that the project's clone is at, read from git's own files; "" when they don't say."""
    head = (texts.read(project_id, [GIT_HEAD])[GIT_HEAD] or "").strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    loose = texts.read(project_id, [f".git/{ref}"])[f".git/{ref}"]
    if loose:
        return loose.strip()
    packed = texts.read(project_id, [GIT_PACKED])[GIT_PACKED] or ""
    return next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {ref}")), "")


def _last_run(client: Client, project_id: str, want: WantedGround) -> JobRun | None:
    """The newest run that was started for exactly this, known by its arguments."""
    job = client.jobs.find(project_id, str(want.request["job"]["name"]))
    if job is None:
        return None
    arguments = want.request["body"]["arguments"]
    return next((run for run in client.jobs.list_runs(project_id, job.id) if run.arguments == arguments), None)
