"""Which jobs of a project act on a cluster while nobody is there, and what each of them runs. Pure.

The watchdog is one of them, the schedule's are the others. A refresh is three, each the parent of the next: nobody
outside has to wait for one to start the other, and what fails keeps the rest from running. How a job comes to be is for
``job_ground.py`` to know.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from cai_deploy import layout
from cai_deploy.places.cai import names
from cai_deploy.places.cai.environments import NeededEnvironment
from cai_deploy.spec import ClusterSpec, ScheduledJob
from cai_deploy.state import GRACE

DAY = 86_400.0
"""Seconds that a submitted command may take when nobody says how many."""


@dataclass(frozen=True)
class ScheduledRun:
    """One job as it is wanted: its own times, or the name of the job that it runs ``after``. Times are in seconds.

    ``log`` is what its output is called, "" for what its script says.
    """

    name: str
    script: str
    arguments: str
    timeout: float
    cron: str = ""
    timezone: str = ""
    after: str = ""
    retries: int = 0
    retry_delay: int = 0
    memory_gb: float = 2.0
    log: str = ""


def job_names(spec: ClusterSpec) -> tuple[str, ...]:
    """What all jobs that ``spec`` wants are called, parents first."""
    scheduled = (names.scheduled_job(spec.name, stage) for entry in spec.schedule.entries for stage in entry.stages)
    return (*([names.watchdog_job(spec.name)] if spec.watchdog else []), *scheduled)


def watchdog(spec: ClusterSpec, head: NeededEnvironment) -> Iterator[ScheduledRun]:
    """The job that looks after the cluster, if ``spec`` wants one; it runs in the environment of the ``head``."""
    if spec.watchdog:
        arguments = shlex.join(["--environment", head.name, "--cluster", spec.name])
        yield ScheduledRun(
            names.watchdog_job(spec.name),
            names.WATCHDOG_SCRIPT,
            arguments,
            _longest(spec),  # one that hangs keeps all later ones from running
            cron=spec.watchdog.schedule,
            timezone="UTC",
        )


def scheduled(spec: ClusterSpec, head: NeededEnvironment) -> Iterator[ScheduledRun]:
    """The jobs of the schedule, parents before those that follow them."""
    entries = {entry.name: entry for entry in spec.schedule.entries}
    done: set[str] = set()
    while len(done) < len(entries):
        ready = [each for each in entries.values() if each.name not in done and each.after in {None, *done}]
        for entry in ready:
            yield from _runs(entry, entries, spec, head)
            done.add(entry.name)


def _runs(
    entry: ScheduledJob, entries: dict[str, ScheduledJob], spec: ClusterSpec, head: NeededEnvironment
) -> Iterator[ScheduledRun]:
    after = names.scheduled_job(spec.name, entries[entry.after].stages[-1]) if entry.after else ""
    for stage, what in zip(entry.stages, _what(entry, spec, head), strict=True):
        name = names.scheduled_job(spec.name, stage)
        begins = {"after": after} if after else {"cron": entry.cron or "", "timezone": entry.timezone or ""}
        yield ScheduledRun(
            name,
            what.script,
            what.arguments,
            entry.timeout or what.timeout,
            **begins,
            retries=entry.retries,
            retry_delay=entry.retry_delay if entry.retries else 0,
            memory_gb=what.memory_gb,
            log=name,
        )
        after = name


@dataclass(frozen=True)
class _What:
    script: str
    arguments: str
    timeout: float
    memory_gb: float = 2.0


def _what(entry: ScheduledJob, spec: ClusterSpec, head: NeededEnvironment) -> tuple[_What, ...]:
    """What each stage of ``entry`` runs."""
    if entry.does == "refresh":
        ref = ["--ref", spec.project.git_ref] if spec.project.git_ref else []
        setup = ["--requirements", head.lock_file, "--python", head.python, "--runtime", head.runtime]
        return (
            _What(names.SYNC_SCRIPT, shlex.join(ref), spec.timeouts.setup),
            _What(names.SETUP_SCRIPT, shlex.join(setup), spec.timeouts.setup, memory_gb=4.0),
            # What the repository says by then, and not what was launched before.
            _call(entry, ["launch", "--cluster", spec.name], _longest(spec)),
        )
    timeout = DAY if entry.does == "submit" else _longest(spec)
    return (_call(entry, [entry.does, "--config", layout.applied_spec_file(spec.name)], timeout),)


def _call(entry: ScheduledJob, words: list[str], timeout: float) -> _What:
    return _What(names.DEPLOYER_SCRIPT, f"{shlex.join(words)} {entry.arguments}".strip(), timeout)


def _longest(spec: ClusterSpec) -> float:
    """Seconds after which a run is stuck: a launch from nothing takes no longer."""
    timeouts = spec.timeouts
    return timeouts.setup + timeouts.launch + spec.update.drain + timeouts.stop + GRACE
