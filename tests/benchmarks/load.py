"""Requests from several clients at once, each on a connection of its own, and how long each took.

The least that a client can do, as it shares the processors with the server that it asks: bytes that were made before,
and of the answer no more than its status and its length. It knows no API.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Load:
    """What became of some requests: the seconds that each took, and all together."""

    each: Sequence[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.each) / self.seconds

    @property
    def p99_ms(self) -> float:
        return sorted(self.each)[len(self.each) * 99 // 100] * 1000


def request(method: str, path: str, key: str, body: Any = None) -> bytes:
    """One request as it is sent."""
    text = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}"]
    if text:
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
    return "\r\n".join([*lines, "", ""]).encode() + text


def send_all(port: int, requests: Sequence[bytes], clients: int) -> Load:
    """Send ``requests`` from ``clients`` at once, each its next one as soon as it has its answer; all must succeed."""
    return asyncio.run(_send_all(port, requests, clients))


async def _send_all(port: int, requests: Sequence[bytes], clients: int) -> Load:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    waiting = iter(requests)
    began = time.perf_counter()
    each = await asyncio.gather(*(_client(*connection, waiting) for connection in connections))
    seconds = time.perf_counter() - began
    for _, writer in connections:
        writer.close()
    return Load([one for times in each for one in times], seconds)


async def _client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: Iterable[bytes]) -> list[float]:
    times = []
    for sent in waiting:
        began = time.perf_counter()
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        times.append(time.perf_counter() - began)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise AssertionError(f"{head.decode()}{body.decode()}")
    return times
