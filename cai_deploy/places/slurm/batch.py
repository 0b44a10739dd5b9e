"""What is wanted of one node's job -> the text of its batch script. Pure: equal wishes give equal text.

Everything that makes the job is in the text, options too, so that it can be read, kept and submitted by hand. What
changes from one submission to the next (its mark, see ``marks.py``) goes beside it. The script ends in ``exec``: the
signal before the time limit goes to the process that Slurm started, and to that one alone.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.spec_texts import CONTROL

PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./&|*()\[\]!~^-]+")
"""Values that need no quotes in a line of options."""

UNSHARED = 78
"""With which a job ends on a machine that does not have the directory (EX_CONFIG)."""

CHECK = """\
cd -- {directory} || {{
  echo "$(hostname) does not have {told}: the cluster's files must be on a file system that all machines share" >&2
  exit {status}
}}"""


@dataclass(frozen=True)
class NodeJob:
    """One node as a job. ``directory`` is shared by all machines and absolute, ``output`` is a path below it.

    ``command`` is what runs in that directory, with ``variables`` beside what the job inherits. They stand in a file
    that its owner alone should be able to read, and are no place for secrets all the same.
    """

    mark: Mark
    cpu: float
    memory_gb: float
    gpu: int
    options: SlurmOptions
    directory: str
    output: str
    command: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """What is handed to ``sbatch``: a script that stands in a file, and the mark of its job.

    ``after`` is the number of the job that has to have ended, however, before this one begins.
    """

    script: Path
    mark: Mark
    partition: str = ""
    account: str = ""
    after: int | None = None

    def argv(self, ticket: str) -> list[str]:
        """The very command. Options on it count for more than those in the script or in any variable."""
        mark = self.mark.with_ticket(ticket)
        options = [f"--job-name={mark.job_name}", f"--comment={mark.comment()}"]
        if self.after is not None:
            options.append(f"--dependency=afterany:{self.after}")
        return ["sbatch", "--parsable", *options, str(self.script)]


def render_script(job: NodeJob) -> str:
    """The batch script of ``job``. Raises ConfigError for a directory that no script can name."""
    if not job.directory.startswith("/") or CONTROL.search(job.directory + job.output):
        raise ConfigError(
            f"a job cannot run in {job.directory!r}",
            why="the directory of a cluster's files is an absolute path on one line",
            next_step="choose such a directory on the shared file system",
        )
    header = [f"#SBATCH --{name}{'' if value is None else '=' + _quoted(value)}" for name, value in _options(job)]
    directory = shlex.quote(job.directory)
    told = re.sub(r'([\\"$`])', r"\\\1", job.directory)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(job.variables.items())]
    lines = [
        "#!/bin/bash",
        *header,
        "",
        CHECK.format(directory=directory, told=told, status=UNSHARED),
        *exports,
        f"exec {shlex.join(job.command)}",
    ]
    return "\n".join(lines) + "\n"


def _options(job: NodeJob) -> Iterator[tuple[str, str | None]]:
    """The options of the job in the order of the script; None for one without a value."""
    asked = job.options
    yield "job-name", job.mark.job_name
    # In a file's name Slurm fills in what follows a %, of which a directory's own name knows nothing.
    yield "output", f"{job.directory.rstrip('/')}/".replace("%", "%%") + job.output
    yield "open-mode", "append"
    yield "nodes", "1"
    yield "ntasks", "1"
    yield "cpus-per-task", str(max(math.ceil(job.cpu), 1))
    yield "mem", asked.mem or f"{math.ceil(job.memory_gb * 1024)}M"
    yield from _where(asked, job.gpu)
    if asked.warning:
        yield "signal", f"B:USR1@{asked.warning}"
    yield ("requeue" if asked.requeue else "no-requeue"), None
    yield "export", asked.export.upper() if isinstance(asked.export, str) else ",".join(asked.export)
    for name, value in sorted(asked.extra.items()):
        yield name, None if value is True else str(value)


def _where(asked: SlurmOptions, gpu: int) -> Iterator[tuple[str, str]]:
    """What decides where and for how long the job runs, as far as it is asked for."""
    named = {
        "gres": asked.gres or (f"gpu:{gpu}" if gpu else None),
        "partition": asked.partition,
        "time": asked.time,
        "account": asked.account,
        "qos": asked.qos,
        "constraint": asked.constraint,
        "reservation": asked.reservation,
    }
    yield from ((name, value) for name, value in named.items() if value is not None)


def _quoted(value: str) -> str:
    if PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r'([\\"])', r"\\\1", value)
    return f'"{escaped}"'
