"""Which host each node is on."""

from __future__ import annotations

import pytest

from cai_deploy.places.ssh.assignment import Room, assign
from cai_deploy.places.ssh.errors import HostsFull
from cai_deploy.spec import HeadGroup, WorkerGroup
from cai_deploy.ssh_hosts import SshHost

HEAD = HeadGroup(cpu=1)
WORKER = WorkerGroup(cpu=2)
GPU = WorkerGroup(name="gpu", cpu=1, gpu=1)

A = Room(SshHost(address="a"), 4, 0)
B = Room(SshHost(address="b"), 8, 2)


def workers(count: int, group: WorkerGroup = WORKER) -> list[tuple[str, WorkerGroup]]:
    return [(f"{group.name}-{number}", group) for number in range(count)]


def test_new_nodes_fill_hosts_evenly() -> None:
    placed = assign([("head", HEAD), *workers(4)], [A, B], {})
    assert placed == {"head": "a", "worker-0": "b", "worker-1": "b", "worker-2": "b", "worker-3": "a"}


def test_a_node_stays_where_it_is_though_another_host_has_more_room() -> None:
    assert assign(workers(2), [A, B], {"worker-1": "a"}) == {"worker-0": "b", "worker-1": "a"}


def test_a_node_stays_on_a_host_that_has_less_than_it_takes() -> None:
    small = Room(SshHost(address="a"), 1, 0)
    assert assign(workers(1), [small], {"worker-0": "a"}) == {"worker-0": "a"}


def test_a_node_stays_on_a_host_that_does_not_answer_and_no_new_one_goes_there() -> None:
    silent = Room(SshHost(address="b"), 100, 0, "does not answer")
    assert assign(workers(2), [A, silent], {"worker-1": "b"}) == {"worker-0": "a", "worker-1": "b"}


def test_a_node_leaves_a_host_that_is_gone_or_takes_its_group_no_more() -> None:
    other = Room(SshHost(address="b", groups=("gpu",)), 8, 0)
    assert assign(workers(2), [A, other], {"worker-0": "b", "worker-1": "removed"}) == {
        "worker-0": "a",
        "worker-1": "a",
    }


def test_the_head_has_its_own_host_however_full() -> None:
    named = Room(SshHost(address="a", groups=("head", "worker")), 1, 0)
    assert assign([("head", HEAD)], [B, named], {}) == {"head": "a"}


def test_graphics_cards_count() -> None:
    assert assign(workers(2, GPU), [A, B], {}) == {"gpu-0": "b", "gpu-1": "b"}
    with pytest.raises(HostsFull) as caught:
        assign(workers(3, GPU), [A, B], {})
    assert caught.value.what == "no host has room for gpu-2, which needs 1 CPUs and 1 GPUs"
    assert "b has 6 of 8 CPUs and 0 of 2 GPUs left" in caught.value.why


def test_each_host_says_why_it_is_none() -> None:
    rooms = [
        Room(SshHost(address="a"), 1, 0),
        Room(SshHost(address="b"), 8, 0, "does not answer"),
        Room(SshHost(address="c", groups=("gpu",)), 8, 0),
    ]
    with pytest.raises(HostsFull) as caught:
        assign(workers(1), rooms, {})
    assert caught.value.why.splitlines() == [
        "a has 1 of 1 CPUs left",
        "b does not answer",
        "c does not take worker",
    ]
    assert caught.value.exit_code == 2


def test_spares_without_room_are_left_out() -> None:
    assert assign(workers(3), [A], {}, optional=True) == {"worker-0": "a", "worker-1": "a"}
