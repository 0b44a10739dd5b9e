"""What the head's gateway costs against direct access, in one run and in turns: latency, throughput, open streams.

Three processes share the machine, so the ratios hold for a machine with as many cores as they say.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.gateway_parts import TOKEN
from tests.benchmarks.rows import Row, ratio
from tests.e2e.conftest import poll
from tests.free_ports import free_port

pytestmark = pytest.mark.short

REPOSITORY = Path(__file__).parents[2]
AT_ONCE = 32
DIRECT = "direct access"

Measure = Callable[[aiohttp.ClientSession, str], Coroutine[Any, Any, float]]


def test_gateway_against_direct_access(record: Record, size: Size) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    requests, pieces, streams = size.of(1500, 150), size.of(100, 10), size.of(1000, 50)
    with parts() as (direct, through, gateway):
        beside = Beside(direct, through, size.rounds)
        record(beside.row("gateway, 1 KB one after the other: time", partial(latency, requests // 3), "s"))
        record(beside.row(f"gateway, 1 KB, {AT_ONCE} at once: requests/s", partial(throughput, requests), "/s"))
        record(beside.row(f"gateway, {pieces} MB download: MB/s", partial(download, pieces), "MB/s"))
        before = memory(gateway)
        record(beside.row(f"gateway, {streams} streams: until all are open", partial(opened, streams), "s"))
        record(beside.row(f"gateway, {streams} streams: until all heard of one event", partial(told, streams), "s"))
        grown = (memory(gateway) - before) / streams
    print(f"memory of the gateway: {before / 1024:.0f} MB before the streams, {grown:.0f} KB more for each at most")


@dataclass(frozen=True)
class Beside:
    """Two addresses of the same thing: its own, and through the gateway."""

    direct: str
    through: str
    rounds: int

    def row(self, figure: str, measure: Measure, unit: str) -> Row:
        """``measure`` of both, in turns."""
        theirs, ours = [], []
        for _ in range(self.rounds):
            theirs.append(asyncio.run(measured(measure, self.direct)))
            ours.append(asyncio.run(measured(measure, self.through)))
        return ratio(figure, ours, DIRECT, theirs, unit=unit)


async def measured(measure: Measure, base: str) -> float:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"X-Ray-Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        return await measure(session, base)


async def latency(requests: int, session: aiohttp.ClientSession, base: str) -> float:
    taken = []
    for _ in range(requests):
        began = time.perf_counter()
        await whole(session, f"{base}/small")
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def throughput(requests: int, session: aiohttp.ClientSession, base: str) -> float:
    async def one_after_the_other() -> None:
        for _ in range(requests // AT_ONCE):
            await whole(session, f"{base}/small")

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return requests // AT_ONCE * AT_ONCE / (time.perf_counter() - began)


async def download(pieces: int, session: aiohttp.ClientSession, base: str) -> float:
    began = time.perf_counter()
    got = await whole(session, f"{base}/large?pieces={pieces}")
    assert got == pieces * 1024 * 1024
    return pieces / (time.perf_counter() - began)


async def whole(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        assert answer.status == 200
        size = 0
        async for piece in answer.content.iter_any():
            size += len(piece)
        return size


async def opened(count: int, session: aiohttp.ClientSession, base: str) -> float:
    return (await streams(count, session, base))[0]


async def told(count: int, session: aiohttp.ClientSession, base: str) -> float:
    return (await streams(count, session, base))[1]


async def streams(count: int, session: aiohttp.ClientSession, base: str) -> tuple[float, float]:
    """Seconds until all streams have begun, and from an event until the last one has it."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(begin(session, base) for _ in range(count)))
    all_there = time.perf_counter()
    async with session.post(f"{base}/tell", headers={"Origin": base}) as answer:
        assert answer.status == 200
    news = await asyncio.gather(*(answer.content.readexactly(13) for answer in answers))
    assert set(news) == {b"data: news!\n\n"}
    ended = time.perf_counter()
    for answer in answers:
        answer.close()
    return all_there - began, ended - all_there


async def begin(session: aiohttp.ClientSession, base: str) -> aiohttp.ClientResponse:
    answer = await session.get(f"{base}/stream")
    assert await answer.content.readexactly(13) == b"data: hello\n\n"
    return answer


@contextlib.contextmanager
def parts() -> Iterator[tuple[str, str, int]]:
    """The addresses of both, and the gateway's process."""
    ports = [free_port(), free_port()]
    program = [sys.executable, "-m", "tests.benchmarks.gateway_parts"]
    words = [["origin", str(ports[0])], ["gateway", str(ports[1]), str(ports[0])]]
    processes = [subprocess.Popen([*program, *each], cwd=REPOSITORY) for each in words]
    try:
        for port in ports:
            poll("it listens", lambda port=port: listens(port))  # type: ignore[misc]
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", processes[1].pid
    finally:
        for process in processes:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def memory(process: int) -> int:
    """KB, at its highest so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
