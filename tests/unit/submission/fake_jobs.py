"""A cluster's jobs as a script: each question gets the next answer, and the last one for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import HeadAway, Member, Request

AWAY = HeadAway("the cluster's head does not answer", why="status 503")
RUNNING = Job("j", "RUNNING", "python x")
SUCCEEDED = Job("j", "SUCCEEDED", "python x", driver_exit_code=0)
FAILED = Job("j", "FAILED", "python x", driver_exit_code=7)
STOPPED = Job("j", "STOPPED", "python x")

Answer = TypeVar("Answer")
HANG = "HANG"
"""In a tail: a connection that says nothing any more."""


@dataclass
class FakeJobs:
    found: list[Job | BaseException | None] = field(default_factory=lambda: [SUCCEEDED])
    tails: list[list[str | Exception]] = field(default_factory=lambda: [[]])
    outputs: list[str | Exception] = field(default_factory=lambda: [""])
    submits: list[bool | Exception] = field(default_factory=lambda: [True])
    alive: Sequence[Member] = ()
    submitted: list[Request] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def members(self) -> Sequence[Member]:
        return self.alive

    def submit(self, request: Request) -> bool:
        self.submitted.append(request)
        return given(self.submits)

    def find(self, job_id: str) -> Job | None:
        return given(self.found)

    def all(self) -> Sequence[Job]:
        return [job for job in self.found if isinstance(job, Job)]

    def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)

    def output(self, job_id: str) -> str:
        return given(self.outputs)

    async def tail(self, job_id: str) -> AsyncIterator[str]:
        for each in self.tails.pop(0) if len(self.tails) > 1 else self.tails[0]:
            if isinstance(each, BaseException):
                raise each
            if each == HANG:
                await asyncio.sleep(3600)
            yield each


def given(answers: list[Answer | BaseException]) -> Answer:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, BaseException):
        raise answer
    return answer
