"""Which ports a job's Ray uses on a machine that it shares: a block of its own, by its number.

Several heads and workers, of several users, run on one machine, and none of them knows of the others. Each job takes
the block that its number leads to. Jobs of which fewer than a whole round of numbers lie between never meet. Those that
do are kept apart by the first port of the block: whoever listens there owns all of it for as long as it runs, which
holds across users where a file would not, and goes with the process. Who comes second tries the next block of its own
row, which is the same each time, and another one than its neighbours'.

The blocks lie below the ports that the kernel gives to connections that go out, so that nobody gets one by chance.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cai_deploy.node.ports import HEAD_PORTS, METRICS_PORTS, PortTaken, is_free
from cai_deploy.node_settings import NODE_PORTS

FIRST = 10_240
"""Below are ports that other programs are known by."""

USUAL_END = 32_768
"""Where Linux lets the ports of outgoing connections begin unless told otherwise."""

WIDTH = 128
"""Ports of a block: some twelve by name, the others for worker processes, of which Ray starts one for each CPU."""

WORKERS_PER_CPU = 3
"""Ray starts one process for each, and actors that need no CPU come on top, as do those that wait to be used again."""

MORE_WORKERS = 16

CLIENT_SESSIONS = range(23_000, 24_000)
"""Where Ray looks for a free port for each session of its client, on every head alike."""

LEAST_BLOCKS = 16

KERNELS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")

NAMED = (*HEAD_PORTS, "serve", *NODE_PORTS)
"""Ray's ports in the order in which a block gives them, behind the one that says whose it is."""

APP = 1 + len(NAMED)
WORKERS = APP + 1 + len(METRICS_PORTS)


@dataclass(frozen=True)
class Block:
    """``width`` ports from ``first`` on."""

    first: int
    width: int = WIDTH

    @property
    def guard(self) -> int:
        """Whoever listens here owns the block."""
        return self.first

    @property
    def last(self) -> int:
        """The last port of it."""
        return self.first + self.width - 1

    @property
    def app(self) -> int:
        """The node's own HTTP port, which the platform gives elsewhere (CDSW_APP_PORT)."""
        return self.first + APP

    def named(self) -> dict[str, int]:
        """Ray's ports by the names that the specification has for them, with the range of its workers."""
        named = {name: self.first + 1 + index for index, name in enumerate(NAMED)}
        return {**named, "worker_min": self.first + WORKERS, "worker_max": self.last}

    def variables(self) -> dict[str, str]:
        """The ports of a head for which Ray has variables alone."""
        return {name: str(self.app + 1 + index) for index, name in enumerate(METRICS_PORTS)}

    def all(self) -> range:
        """Every port of it."""
        return range(self.first, self.first + self.width)


@dataclass(frozen=True)
class Street:
    """All blocks of one width between two ports."""

    first: int = FIRST
    end: int = USUAL_END
    width: int = WIDTH

    def __len__(self) -> int:
        return len(_begins(self))

    def block(self, number: int) -> Block:
        """The block with this number, counted round and round."""
        return Block(_begins(self)[number % len(self)], self.width)

    def wide(self, block: Block, count: int) -> Block | None:
        """``count`` blocks from this one on as one, None where they do not all lie side by side."""
        firsts = range(block.first, block.first + count * self.width, self.width)
        return Block(block.first, count * self.width) if set(firsts) <= set(_begins(self)) else None

    def row(self, job_id: int) -> Iterator[Block]:
        """The blocks for a job, in the order in which it tries them: each once, the same in every run."""
        count = len(self)
        strides = _strides(count)
        stride = strides[job_id // count % len(strides)]
        return (self.block(job_id + turn * stride) for turn in range(count))


def street_here(width: int = WIDTH, told: Callable[[], str] = KERNELS_OWN.read_text) -> Street:
    """The blocks of this machine: below the kernel's own ports, unless those begin so low that few would be left."""
    end = USUAL_END
    with suppress(OSError):
        numbers = re.findall(r"\d+", told())
        begins = int(numbers[0]) if numbers else USUAL_END
        if begins - FIRST >= LEAST_BLOCKS * width:
            end = min(begins, 65_536)
    return Street(FIRST, end, width)


def blocks_for(cpu: float) -> int:
    """How many blocks side by side the workers of a node with so many CPUs need."""
    workers = math.ceil(cpu) * WORKERS_PER_CPU + MORE_WORKERS
    return math.ceil((WORKERS + workers) / WIDTH)


@dataclass
class Held:
    """A block that is ours until it is released, or this process ends."""

    block: Block
    guards: list[socket.socket]

    def release(self) -> None:
        """Let others have it."""
        for guard in self.guards:
            guard.close()


def take(
    job_id: int,
    street: Street | None = None,
    *,
    first: int | None = None,
    count: int = 1,
    free: Callable[[int], bool] = is_free,
) -> Held:
    """The first block of the job's row of which every port is free, held from now on. Raises PortTaken when none is.

    ``first`` is where a person wants the block to begin: that one or none. ``count`` blocks side by side make one.
    """
    street = street or street_here()
    width = count * street.width
    if first is not None:
        if held := _take(Block(first, width), street.width, free):
            return held
        raise PortTaken(
            f"of the ports {first} to {first + width - 1}, some are held by other programs",
            next_step="choose another first port, or none: then a free block is found",
        )
    wide = [block for each in street.row(job_id) if (block := street.wide(each, count))]
    for block in wide:
        if held := _take(block, street.width, free):
            return held
    raise PortTaken(
        f"none of the {len(wide)} blocks of {width} ports between {street.first} and {street.end} is free",
        next_step="have the job run on another machine, or choose its first port",
    )


def _take(block: Block, width: int, free: Callable[[int], bool]) -> Held | None:
    """``block``, held with the first port of every ``width`` of it; None when one of its ports is not free."""
    held = Held(block, [])
    firsts = block.all()[::width]
    for port in firsts:
        guard = _hold(port)
        if guard is None:
            held.release()
            return None
        held.guards.append(guard)
    if all(free(port) for port in block.all() if port not in firsts):
        return held
    held.release()
    return None


def _hold(port: int) -> socket.socket | None:
    """A listening socket on ``port`` that no other process can have too; None when one does."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.bind(("0.0.0.0", port))  # noqa: S104 (whoever asks for the port on any address must find it taken)
        held.listen(1)
    except (OSError, OverflowError):  # OverflowError: there is no such port
        held.close()
        return None
    return held


@cache
def _begins(street: Street) -> tuple[int, ...]:
    """The first ports of its blocks, those left out that Ray uses for itself."""
    firsts = range(street.first, street.end - street.width + 1, street.width)
    return tuple(
        first for first in firsts if first + street.width <= CLIENT_SESSIONS.start or first >= CLIENT_SESSIONS.stop
    )


@cache
def _strides(count: int) -> tuple[int, ...]:
    """Steps that lead through all of ``count`` blocks and away from the neighbours."""
    primes = [number for number in range(7, count) if count % number and all(number % d for d in range(2, number))]
    return tuple([prime for prime in primes if prime * 3 > count] or primes or [1])
