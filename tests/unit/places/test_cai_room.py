"""What a workspace could never give, what it could give if nothing else ran, and what it does not tell."""

from __future__ import annotations

from typing import cast

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import AcceleratorLabel, Quota, QuotaUser, UserQuota
from cai_deploy.errors import PlaceUnreachable
from cai_deploy.places.cai.room import NoRoom, Room, all_there, look, look_if_told, require_room, taken_by_others
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState

SPEC = ClusterSpec.model_validate(
    {"head": {"cpu": 1, "memory_gb": 2}, "workers": [{"cpu": 2, "memory_gb": 4, "gpu": 1}]}
)


class Capacity:
    def __init__(self, quotas: list[UserQuota] | None, gpus: list[AcceleratorLabel]) -> None:
        self._quotas = quotas
        self._gpus = gpus

    def quotas(self) -> list[UserQuota]:
        if self._quotas is None:
            raise PlaceUnreachable("gone")
        return self._quotas

    def accelerators(self) -> list[AcceleratorLabel]:
        return self._gpus


class Workspace:
    def __init__(self, quotas: list[UserQuota] | None, gpus: list[AcceleratorLabel] | None = None) -> None:
        self.capacity = Capacity(quotas, gpus or [])

    def validate_key(self) -> str:
        return "me"


def quota(user: str, *configured: str, used: tuple[str, str, str] = ("", "", "")) -> UserQuota:
    cpu, memory, gpu = configured
    return UserQuota(
        user=QuotaUser(user_name=user),
        quota_configured=Quota(cpu=cpu, memory=memory, nvidia_gpu=gpu),
        quota_usage=Quota(cpu=used[0], memory=used[1], nvidia_gpu=used[2]),
    )


def seen(*quotas: UserQuota, gpus: list[AcceleratorLabel] | None = None) -> Room:
    return look(cast(Client, Workspace(list(quotas), gpus)))


@pytest.mark.parametrize(
    ("configured", "limits"),
    [
        (("8", "32", "0"), {"cpu": 8, "memory": 32, "gpu": 0}),
        (("8", "", ""), {"cpu": 8}),
        (("", "", ""), {}),
        (("0", "0", "0"), {}),
        (("0", "32", "2"), {"memory": 32, "gpu": 2}),
        (("many", "32", "2"), {"memory": 32, "gpu": 2}),
    ],
)
def test_what_is_limited(configured: tuple[str, str, str], limits: dict[str, float]) -> None:
    assert seen(quota("me", *configured)).limits == limits


def test_an_administrator_sees_everybodys_and_has_their_own() -> None:
    assert seen(quota("you", "1", "1", "1"), quota("me", "8", "8", "8")).limits["cpu"] == 8
    assert seen(quota("you", "1", "1", "1"), quota("them", "8", "8", "8")).limits == {}
    assert seen().limits == {}


def test_a_workspace_that_does_not_tell_refuses_nothing() -> None:
    room = look_if_told(cast(Client, Workspace(None)))
    assert room == Room()
    require_room(SPEC, room)


def test_what_will_never_be_had_is_all_told_at_once() -> None:
    with pytest.raises(NoRoom) as caught:
        require_room(SPEC, seen(quota("me", "2", "32", "0")))
    assert caught.value.what == "cluster ray would wait in SCHEDULING for ever"
    assert caught.value.why.splitlines() == [
        "it asks for 3 vCPU in all, and your quota is 2",
        "it asks for 1 GPU in all, and your quota is 0",
        "worker asks for 1 GPU a node, and the workspace has no accelerator label",
    ]
    require_room(SPEC, seen(quota("me", "3", "6", "1"), gpus=[AcceleratorLabel(max_gpu_count=1)]))
    require_room(SPEC, seen(gpus=[AcceleratorLabel()]))


def node(name: str, state: NodeState) -> Node:
    facts = {"cpu": 2.0, "memory_gb": 4.0, "gpu": 1}
    return Node(name, "worker", "worker", state, name, "f", facts=facts)


def test_what_the_cluster_holds_itself_is_not_in_its_way() -> None:
    room = seen(quota("me", "4", "", "", used=("3", "", "")), gpus=[AcceleratorLabel(max_gpu_count=1)])
    assert list(taken_by_others(SPEC, room, [])) == ["it asks for 3 vCPU, and 3 of your 4 are used elsewhere"]
    assert list(taken_by_others(SPEC, room, [node("worker-0", NodeState.RUNNING)])) == []
    assert list(taken_by_others(SPEC, room, [node("worker-0", NodeState.STOPPED)])) != []


def test_nothing_has_to_find_room_once_all_run() -> None:
    nodes = [node("head", NodeState.RUNNING), node("worker-0", NodeState.RUNNING)]
    assert all_there(SPEC, nodes)
    assert not all_there(SPEC, nodes[:1])
    assert not all_there(SPEC, [nodes[0], node("worker-0", NodeState.STARTING)])
