"""The whole way of a job to its cluster: prepared here, given its place there, and taken."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cai_deploy.clock import SystemClock
from cai_deploy.errors import DeployError
from cai_deploy.redaction import Redaction
from cai_deploy.submission import placement
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Jobs, Request
from cai_deploy.submission.preparation import Wish, prepare
from cai_deploy.submission.submit import submit

Say = Callable[[str], object]


def send(jobs: Jobs, wish: Wish, asked: Request, *, say: Say, patience: float, on_head: bool = False) -> Job | None:
    """Prepare the job and have the cluster take it; the job when it was there already. No variable's value is told."""
    redact = Redaction(wish.env.values())
    with tempfile.TemporaryDirectory(prefix="cai-deploy-submit-") as scratch:
        prepared = prepare(wish, Path(scratch), say)
        redact.learn(prepared.runtime_env.get("env_vars", {}).values())
        labels = place(jobs, asked, say=say, on_head=on_head)
        request = replace(asked, runtime_env=prepared.runtime_env, package=prepared.package, on=labels)
        try:
            taken = submit(jobs, request, clock=SystemClock(), patience=patience, say=say)
        except DeployError as error:
            error.why = redact(error.why)
            raise
    if taken.found is None:
        unchanged = "" if taken.uploaded or not request.package else " (working directory unchanged, not sent again)"
        say(f"submitted: job {asked.id}{unchanged}")
    return taken.found


def place(jobs: Jobs, asked: Request, *, say: Say, on_head: bool) -> Mapping[str, str] | None:
    """The labels of where the command is to run."""
    need = placement.needed(asked.num_cpus, asked.num_gpus, asked.memory, asked.resources)
    spot = placement.on_the_head(need) if on_head else placement.choose(jobs.members(), need)
    if spot.note:
        say(f"note: {spot.note}")
    return spot.labels
