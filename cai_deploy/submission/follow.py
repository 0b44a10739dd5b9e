"""Following a job to its end, through whatever happens to the connection meanwhile.

Ray's log tail begins at the beginning each time, so what was printed already is skipped by its length. A tail that ends
says nothing about the job: the only end is one that the cluster was asked for and told. While the tail is silent the
cluster is asked every few seconds, as a connection whose other side is gone may stay silent for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import HeadAway, Jobs, JobsRefusal, NoSuchJob, no_such_job


@dataclass(frozen=True)
class Pace:
    """Seconds: how often the cluster is asked, how soon a broken tail is opened again, how long to wait for what.

    ``patience`` is for a head that is away; a platform may take 300 s to start one again. ``memory`` is for a head that
    answers and does not know the job (yet). ``rest`` is for output that is still to come when the job has ended; what
    is shorter than ``cheap`` characters is read once more then, to be sure.
    """

    look: float = 3.0
    again: float = 0.5
    patience: float = 360.0
    memory: float = 15.0
    rest: float = 15.0
    cheap: int = 1_000_000


class Follower:
    """Follows the job ``job_id``, giving what it writes to ``write``, and what happens beside it to ``say``.

    ``follow`` may be left by an exception and called again: it goes on where it was.
    """

    def __init__(
        self, jobs: Jobs, job_id: str, write: Callable[[str], object], say: Callable[[str], object], pace: Pace
    ) -> None:
        self._jobs = jobs
        self._id = job_id
        self._write = write
        self._say = say
        self._pace = pace
        self._written = 0
        self._last_words = 0.0
        self._known = False

    def follow(self) -> Job:
        """The job once it has ended. Raises HeadAway when the head stays away, NoSuchJob, Refused or JobsRefusal."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._follow())
        return self._follow_beside()

    def _follow_beside(self) -> Job:
        """For a thread that has a loop already, as in a notebook: another thread follows while this one waits."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True, name="follower")
        thread.start()
        following = asyncio.run_coroutine_threadsafe(self._follow(), loop)
        try:
            return following.result()
        finally:
            following.cancel()
            loop.call_soon_threadsafe(loop.stop)

    async def _follow(self) -> Job:
        while True:
            tail = asyncio.create_task(self._copy_tail())
            try:
                job = await self._watch(tail)
            finally:
                tail.cancel()
                with contextlib.suppress(asyncio.CancelledError, HeadAway, JobsRefusal):
                    await tail
            if job.ended:
                return job
            await asyncio.sleep(self._pace.again)

    async def _watch(self, tail: asyncio.Task[None]) -> Job:
        """Until the job has ended and told all, or the tail is of no more use: the job as it is then."""
        while True:
            await asyncio.wait([tail], timeout=self._pace.look)
            told_all = tail.done() and not tail.exception()
            job, was_away = await self._ask()
            if job.ended:
                if was_away or not told_all or self._written < self._pace.cheap:
                    await self._rest(tail)
                return job
            if was_away or tail.done():
                return job

    async def _ask(self) -> tuple[Job, bool]:
        """The job as it is now, once the head answers, and whether it was away meanwhile."""
        began, away = time.monotonic(), False
        while True:
            try:
                job = await asyncio.to_thread(self._jobs.find, self._id)
            except HeadAway as error:
                waited = time.monotonic() - began
                if waited > self._pace.patience:
                    raise gone(error, self._id, waited) from error
                if not away:
                    self._say(f"the head does not answer ({error.why}); waiting for it, job {self._id} may go on")
                away = True
            else:
                if job is not None:
                    if away:
                        self._say("the head answers again")
                    self._known = True
                    return job, away
                if not self._known or time.monotonic() - began > self._pace.memory:
                    raise self._forgotten()
            await asyncio.sleep(self._pace.again)

    async def _copy_tail(self) -> None:
        """One connection to the log: what was written already is read over."""
        read = 0
        async for text in self._jobs.tail(self._id):
            new = text[max(self._written - read, 0) :]
            read += len(text)
            self._put(new)

    async def _rest(self, tail: asyncio.Task[None]) -> None:
        """What a job that has ended has left to tell: by the tail as long as that moves, the end in one piece.

        A tail that was closed in good order is no proof, as whoever stands between closes it so too when it breaks.
        """
        self._last_words = time.monotonic()
        while not tail.done() and time.monotonic() - self._last_words < self._pace.rest:
            await asyncio.wait([tail], timeout=self._pace.again)
        told_all = tail.done() and not tail.exception()
        tail.cancel()
        try:
            whole = await asyncio.to_thread(self._jobs.output, self._id)
        except (HeadAway, JobsRefusal, NoSuchJob) as error:
            if not told_all:
                self._say(f"the end of what job {self._id} wrote cannot be read any more ({error.why or error})")
            return
        self._put(whole[self._written :])

    def _put(self, text: str) -> None:
        if text:
            self._last_words = time.monotonic()
            self._written += len(text)
            self._write(text)

    def _forgotten(self) -> NoSuchJob:
        error = no_such_job(self._id)
        if self._known:
            error.why = "it did before: the cluster was started anew, and whatever ran in it is gone"
        return error


def gone(error: HeadAway, job_id: str, waited: float) -> HeadAway:
    """The head has been away for longer than anybody waits: how to go on once it is back."""
    return HeadAway(
        f"the cluster's head has not answered for {waited:.0f} s, so nobody knows how job {job_id} is",
        why=error.why,
        next_step="bring it back: python -m cai_deploy launch; then go on: "
        f"python -m cai_deploy jobs logs --follow {job_id}",
    )
