"""A block of ports for each job."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable

import pytest

from cai_deploy.node.batch.port_blocks import (
    CLIENT_SESSIONS,
    FIRST,
    USUAL_END,
    Block,
    Street,
    blocks_for,
    street_here,
    take,
)
from cai_deploy.node.ports import PortTaken, is_free
from cai_deploy.spec import Ports

STREET = Street()


def free_but(taken: set[int]) -> Callable[[int], bool]:
    return lambda port: port not in taken


def test_every_port_of_a_block_has_one_use() -> None:
    block = Block(20_000)
    named = block.named()
    workers = range(named.pop("worker_min"), named.pop("worker_max") + 1)
    single = [block.guard, block.app, *named.values(), *map(int, block.variables().values())]
    assert sorted([*single, *workers]) == list(block.all())
    assert len(workers) > 100


def test_the_names_are_those_of_the_specification() -> None:
    ports = Ports(**Block(20_000).named())
    assert set(ports.pinned()) == set(Ports.model_fields)


def test_blocks_lie_side_by_side_below_the_kernels_own_ports() -> None:
    ports = [port for number in range(len(STREET)) for port in STREET.block(number).all()]
    assert len(ports) == len(set(ports))
    assert min(ports) == FIRST
    assert max(ports) < USUAL_END
    assert not set(ports) & set(CLIENT_SESSIONS)


def test_a_job_tries_every_block_once_and_always_in_the_same_order() -> None:
    row = list(STREET.row(4711))
    assert sorted(block.first for block in row) == [STREET.block(n).first for n in range(len(STREET))]
    assert row == list(STREET.row(4711))


@pytest.mark.parametrize("width", [32, 64, 128, 256, 512, 1024])
@pytest.mark.parametrize("job_id", [1, 999_999, 67_108_863])
def test_a_row_is_whole_whatever_the_width(width: int, job_id: int) -> None:
    street = Street(width=width)
    assert len({block.first for block in street.row(job_id)}) == len(street) > 16


def test_jobs_within_one_round_of_numbers_never_meet() -> None:
    for start in range(0, 1000, 7):
        blocks = [next(STREET.row(job_id)) for job_id in range(start, start + len(STREET))]
        assert len(set(blocks)) == len(STREET)


def settled(job_ids: list[int]) -> tuple[dict[int, Block], int]:
    """Who ends up where when these jobs live on one machine, and how often somebody had to move on."""
    taken: dict[Block, int] = {}
    moves = 0
    for job_id in job_ids:
        for turn, block in enumerate(STREET.row(job_id)):
            if block not in taken:
                taken[block] = job_id
                moves += turn
                break
    return {job_id: block for block, job_id in taken.items()}, moves


def test_a_thousand_jobs_of_which_ten_live_at_once_rarely_meet_and_never_share() -> None:
    numbers = random.Random(7).sample(range(1, 1_000_000), 1000)
    moved = 0
    for start in range(0, 1000, 10):
        where, moves = settled(numbers[start : start + 10])
        assert len(set(where.values())) == 10
        moved += moves
    assert moved < 50  # of 1000; 25 are to be expected by chance


def test_jobs_that_meet_part_at_the_next_step() -> None:
    count = len(STREET)
    meeting = [5 + count * turn for turn in range(8)]
    assert len({next(STREET.row(job_id)) for job_id in meeting}) == 1
    _, moves = settled(meeting)
    assert moves <= 2 * len(meeting)


def free_here(width: int = 32) -> Street:
    """Eight blocks side by side that no program of this machine has a port in."""
    for first in range(FIRST, USUAL_END, 8 * width):
        street = Street(first, first + 8 * width, width)
        if all(is_free(port) for port in range(street.first, street.end)):
            return street
    raise AssertionError("no free ports here")


def test_the_first_block_that_is_free_is_held() -> None:
    street = free_here()
    first, second, third = list(street.row(3))[:3]
    with_one_taken = free_but({first.first + 20})
    held = take(3, street, free=with_one_taken)
    try:
        assert held.block == second
        other = take(3, street, free=with_one_taken)
        other.release()
        assert other.block == third
    finally:
        held.release()
    again = take(3, street, free=with_one_taken)
    again.release()
    assert again.block == second


def test_a_block_is_really_held_and_its_ports_really_looked_at() -> None:
    street = free_here()
    with socket.socket() as stranger:
        intended = next(street.row(3))
        stranger.bind(("127.0.0.1", intended.first + 5))
        stranger.listen()
        held = take(3, street)
    try:
        assert held.block != intended
        with socket.socket() as probe, pytest.raises(OSError):
            probe.bind(("127.0.0.1", held.block.guard))
    finally:
        held.release()


def test_the_block_that_somebody_chose_or_none() -> None:
    street = free_here()
    chosen = street.first + 7
    held = take(3, street, first=chosen)
    try:
        assert held.block == Block(chosen, 32)
        with pytest.raises(PortTaken, match=f"{chosen} to {chosen + 31}"):
            take(4, street, first=chosen)
    finally:
        held.release()


def test_a_machine_without_a_free_block_says_so() -> None:
    street = Street(first=24_000, end=24_000 + 4 * 32, width=32)
    with pytest.raises(PortTaken, match="none of the 4 blocks"):
        take(3, street, free=lambda port: False)


@pytest.mark.parametrize(
    ("told", "end"),
    [("32768\t60999\n", 32_768), ("20000\t60999\n", 20_000), ("1024\t65535\n", USUAL_END), ("", USUAL_END)],
)
def test_below_where_the_kernel_begins_where_that_leaves_room(told: str, end: int) -> None:
    assert street_here(told=lambda: told).end == end


def test_a_machine_that_does_not_tell() -> None:
    def nothing() -> str:
        raise PermissionError

    assert street_here(told=nothing) == STREET


@pytest.mark.parametrize(("cpu", "count"), [(0.5, 1), (8, 1), (32, 1), (64, 2), (256, 7)])
def test_a_machine_of_many_cpus_gets_several_blocks(cpu: float, count: int) -> None:
    assert blocks_for(cpu) == count
    ports = Block(20_000, count * STREET.width).named()
    assert ports["worker_max"] - ports["worker_min"] + 1 - (count - 1) >= 3 * cpu


def test_several_blocks_are_held_each_by_its_first_port() -> None:
    street = free_here()
    held = take(3, street, count=2)
    try:
        assert (held.block.width, len(held.guards)) == (64, 2)
        inner = Block(held.block.first + 32, 32)
        others = [take(number, street).block for number in range(6)]
        assert inner not in others
        assert held.block.first not in {block.first for block in others}
        with pytest.raises(PortTaken):
            take(4, street, first=inner.first)
    finally:
        held.release()


def test_blocks_side_by_side_do_not_reach_over_what_ray_uses() -> None:
    below = CLIENT_SESSIONS.start - (CLIENT_SESSIONS.start - FIRST) % STREET.width - STREET.width
    assert STREET.wide(Block(below, STREET.width), 1)
    assert STREET.wide(Block(below, STREET.width), 2) is None
