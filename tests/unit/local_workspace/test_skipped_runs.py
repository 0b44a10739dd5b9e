"""The life-cycle of runs that nobody asked for by name, in one process with a real store and no pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cai_deploy.local_workspace import records
from cai_deploy.local_workspace.home import Home
from cai_deploy.local_workspace.lifecycle.jobs import Jobs
from cai_deploy.local_workspace.pods import Pods
from cai_deploy.local_workspace.settings import Settings
from cai_deploy.local_workspace.store import Record, Store
from cai_deploy.local_workspace.workspace import Workspace


@pytest.fixture
def stuck(tmp_path: Path) -> Callable[[], Workspace]:
    """A workspace in which no run leaves SCHEDULING."""

    def make() -> Workspace:
        home = Home(tmp_path)
        home.make()
        settings = Settings().changed({"delays": {"run-starting": "never"}})
        store, pods = Store(home.database), Mock(spec=Pods)
        return Workspace(home, store, pods, api_key="k", port=1, settings=settings)

    return make


def scheduled(workspace: Workspace, **body: Any) -> Record:
    project = records.project("proj", {"name": "p"})
    workspace.store.put(Record("project", "proj", "proj", project))
    shown = records.job("job", {"name": "j", "script": "x.py", "schedule": "* * * * *", **body}, project)
    job = Record("job", "job", "proj", shown)
    workspace.store.put(job)
    return job


def states(jobs: Jobs, job: Record) -> list[str]:
    return [run.shown["status"] for run in jobs.runs_of(job)]


def test_a_run_is_skipped_while_another_is_active(stuck: Callable[[], Workspace]) -> None:
    """cml-behaviour 8: ENGINE_SKIPPED."""

    async def story() -> None:
        workspace = stuck()
        jobs = Jobs(workspace)
        job = scheduled(workspace)
        for _ in range(3):
            jobs._run_by_schedule(job.id)
            await asyncio.sleep(0)
        assert states(jobs, job) == ["ENGINE_SCHEDULING", "ENGINE_SKIPPED", "ENGINE_SKIPPED"]
        assert all(run.shown["finished_at"] for run in jobs.runs_of(job)[1:])
        jobs.run(job, {})  # by hand a second one may run
        assert states(jobs, job)[-1] == "ENGINE_SCHEDULING"
        await workspace.cancel_tasks()

    asyncio.run(story())


def test_a_skipped_run_is_retried_where_the_job_says_so(stuck: Callable[[], Workspace]) -> None:
    """cml-behaviour 7: retry_for_skipped_runs, max_retry."""

    async def story() -> None:
        workspace = stuck()
        jobs = Jobs(workspace)
        job = scheduled(workspace, retry_enabled=True, retry_for_skipped_runs=True, max_retry=2)
        jobs._run_by_schedule(job.id)
        jobs._run_by_schedule(job.id)
        await asyncio.sleep(0.1)
        assert states(jobs, job) == ["ENGINE_SCHEDULING", *["ENGINE_SKIPPED"] * 3]
        assert [run.inner["attempt"] for run in jobs.runs_of(job)] == [0, 0, 1, 2]
        await workspace.cancel_tasks()

    asyncio.run(story())


def test_a_retry_that_was_planned_survives_a_crash(stuck: Callable[[], Workspace]) -> None:
    async def before() -> None:
        workspace = stuck()
        jobs = Jobs(workspace)
        job = scheduled(workspace, retry_enabled=True, retry_for_skipped_runs=True, max_retry=1)
        jobs._run_by_schedule(job.id)
        jobs._run_by_schedule(job.id)
        await workspace.cancel_tasks()
        assert states(jobs, job) == ["ENGINE_SCHEDULING", "ENGINE_SKIPPED"]
        workspace.store.close()

    async def after() -> None:
        workspace = stuck()
        jobs = Jobs(workspace)
        jobs.recover()
        await asyncio.sleep(0.1)
        job = workspace.require("job", "job")
        assert states(jobs, job) == ["ENGINE_SCHEDULING", *["ENGINE_SKIPPED"] * 2]
        await workspace.cancel_tasks()

    asyncio.run(before())
    asyncio.run(after())
