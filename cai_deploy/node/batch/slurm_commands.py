"""What a node asks of Slurm while it runs as one of its jobs: when the job ends, and that a successor be queued.

Both through Slurm's own commands, from within a job, whose variables would change what they do.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, DeployError

SUBMIT_PATIENCE = 60.0
LOOK_PATIENCE = 5.0

DEFAULTS_OF_COMMANDS = ("SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SACCT_", "SLURM_")
"""Variables by which a shell, or a job that we run in, would change what the commands do, beside what we ask."""

KEPT = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT"})
"""Which Slurm it is, and who we are to it."""


class NoSuccessor(DeployError):
    """The job that was to go on from here is not queued."""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` for Slurm's commands: without what a job's variables would add to them."""
    return {name: value for name, value in environ.items() if name in KEPT or not name.startswith(DEFAULTS_OF_COMMANDS)}


def end_of(job_id: int, environ: Mapping[str, str]) -> datetime | None:
    """When the job's time limit ends it; None when it has none, or nobody tells in time."""
    told = environ.get("SLURM_JOB_END_TIME", "")
    if told.isdigit():
        return datetime.fromtimestamp(int(told)).astimezone()
    try:
        answer = _ask(environ, LOOK_PATIENCE, "squeue", "--noheader", f"--jobs={job_id}", "--format=%e")
        return datetime.fromisoformat(answer).astimezone()  # Slurm tells the machine's own time, without its zone
    except (CommandFailed, ValueError):  # ValueError: N/A, or whatever a version says of no limit
        return None


def submit_successor(job_id: int, script: Path, environ: Mapping[str, str]) -> str:
    """Queue the same job once more, for when this one has ended; the new one's number. Raises NoSuccessor.

    It carries this job's mark, which stands in its comment, with the ticket of another submission.
    """
    try:
        described = _ask(environ, LOOK_PATIENCE, "squeue", "--noheader", f"--jobs={job_id}", "--format=%j|%k")
        name, _, comment = described.partition("|")
        answer = _ask(
            environ,
            SUBMIT_PATIENCE,
            *("sbatch", "--parsable", f"--job-name={name}", f"--comment={_marked_anew(comment)}"),
            *(f"--dependency=afterany:{job_id}", str(script)),
        )
    except CommandFailed as failed:
        raise NoSuccessor("no successor is queued", why=str(failed), next_step="launch the cluster again") from failed
    number = re.match(r"\d+", answer)
    if number is None:
        raise NoSuccessor("whether a successor is queued is not known", why=f"sbatch said {answer[:200]!r}")
    return number[0]


def _marked_anew(comment: str) -> str:
    """The mark with another ticket; a comment that is no mark as it is."""
    # Only the ticket's own characters change, as the mark is compared as it was written.
    return re.sub(r'("ticket":")[0-9a-f]*(")', rf"\g<1>{secrets.token_hex(6)}\g<2>", comment)


def _ask(environ: Mapping[str, str], patience: float, *argv: str) -> str:
    return shell.run(argv, env=environment(environ), timeout=patience).stdout.strip()
