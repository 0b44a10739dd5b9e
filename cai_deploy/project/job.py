"""What every job script shares: arguments, a log that can be read from outside, and an honest end.

In a CML job a script runs in a notebook kernel: arguments come in the variable ``JOB_ARGUMENTS`` alone, any
``sys.exit`` is a failure, and nobody can read the output through the API. So arguments are parsed without exiting,
the output goes to a file of the project too, and a failure is raised.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from cai_deploy import layout
from cai_deploy.errors import ConfigError, DeployError

SCHEDULED = "CAI_DEPLOY_SCHEDULED"
"""The variable with the name of a job of a schedule, by which its runs find their own log."""


class JobFailed(Exception):
    """How a job script ends badly: the kernel shows it, and the run counts as failed."""


class Arguments(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with ``message``."""
        raise ConfigError(f"JOB_ARGUMENTS: {message}", next_step=self.format_usage().strip())

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise ConfigError, also for ``--help``: in a kernel every exit is a failed run."""
        raise ConfigError(f"JOB_ARGUMENTS: {message or 'no run was asked for'} (status {status})")

    def parse_job_arguments(self) -> argparse.Namespace:
        """The arguments of this run."""
        return self.parse_args(shlex.split(os.environ.get("JOB_ARGUMENTS", "")))


def run(name: str, work: Callable[[Callable[[str], None]], None]) -> None:
    """Do ``work``, which is handed a function to tell its story to, as the job ``name`` of the project we stand in.

    Raises JobFailed with what, why and next step when ``work`` fails in a way that we know.
    """
    with job_log(Path.cwd() / layout.job_log_file(os.environ.get(SCHEDULED) or name)) as tell:
        try:
            work(tell)
        except DeployError as error:
            lines = [
                f"error: {error.what}",
                *error.why.splitlines(),
                *([f"hint: {error.next_step}"] if error.next_step else []),
            ]
            for line in lines:
                tell(line)
            raise JobFailed(error.what) from error
        except Exception:
            for line in traceback.format_exc().splitlines():  # the run's own output cannot be read from outside
                tell(line)
            raise


@contextmanager
def job_log(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that prints a line and appends it to ``path``, which starts empty with each run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:

        def tell(line: str) -> None:
            print(line, file=sys.stdout, flush=True)
            file.write(line + "\n")
            file.flush()

        yield tell
