"""What a specification comes to on hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.ray_status import RayView
from cai_deploy.places.ssh import placement
from cai_deploy.places.ssh.build import build, draft
from cai_deploy.places.ssh.members import to_node, unseen
from cai_deploy.places.ssh.node_requests import UNCLAIMED, Where
from cai_deploy.places.ssh.observation import SshObservation
from cai_deploy.places.ssh.placement import Placement
from cai_deploy.plan import plan
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Wanted
from tests.unit.places.ssh.samples import LOCKED, OWNER, SPEC, host, record

HOSTS = {"h1": host(1), "h2": host(2), "h3": host(3)}
WHERE = Where("c0de", OWNER, 0)


def seen(**more: Any) -> SshObservation:
    return SshObservation(**{"hosts": HOSTS, "requirements": LOCKED, **more})


def wanted(spec: ClusterSpec = SPEC, there: SshObservation | None = None, where: Where = WHERE) -> Wanted:
    return build(draft(spec, there or seen(), where, spec.hosts[0]))


def request(node: str, **more: Any) -> dict[str, Any]:
    return next(dict(each.create) for each in wanted(**more).nodes if each.name == node)


def test_groundwork_is_for_all_hosts_that_get_nodes_at_once() -> None:
    ground = wanted().ground
    assert [each.kind for each in ground] == [
        "code",
        "requirements",
        "environment",
        "launcher",
        "launcher",
        "token",
        "placement",
        "specification",
    ]
    assert {tuple(each.request["hosts"]) for each in ground[:6]} == {("h1", "h2", "h3")}
    assert {tuple(each.request["hosts"]) for each in ground[6:]} == {("h1",)}


def test_a_node_is_told_its_address_and_where_the_head_is() -> None:
    worker = request("worker-1")
    assert worker["host"] == "h3"
    environment = worker["body"]["environment"]
    assert environment["CAI_DEPLOY_ADDRESS"] == "10.9.9.3"
    assert environment["RAY_HEAD_ADDRESS"] == "10.0.0.1:6379"
    assert environment["PYTHONPATH"] == "/home/h3/.cai-deploy/code/c0de"
    assert environment["CAI_DEPLOY_EPOCH"] == UNCLAIMED
    assert worker["body"]["command"] == ["python3", "ray_worker_launcher.py"]
    assert "RAY_HEAD_ADDRESS" not in request("head")["body"]["environment"]


def test_the_heads_port_must_not_move_as_workers_are_told_it() -> None:
    (head,) = (each for each in wanted().ground if each.name == "ray_head_launcher.py")
    assert '"gcs"' in head.request["body"]["content"].partition('"pinned_ports"')[2].partition("]")[0]


def test_neither_scaling_nor_a_claim_changes_what_a_node_is() -> None:
    before = {each.name: each.fingerprint for each in wanted().nodes}
    after = {each.name: each.fingerprint for each in wanted(SPEC.scaled(3), where=replace(WHERE, epoch=9)).nodes}
    assert after.items() > before.items()
    assert request("head", where=replace(WHERE, epoch=9))["body"]["environment"]["CAI_DEPLOY_EPOCH"] == "9"


def test_a_cluster_that_is_as_wanted_needs_nothing() -> None:
    made = {each.name: each for each in wanted().nodes}
    hosts = {
        name: host(int(name[1]), *(_record(each) for each in made.values() if each.create["host"] == name))
        for name in HOSTS
    }
    nodes = tuple(
        replace(to_node(name, each, RayView(), SPEC, "", is_drained=False), ray_state="ALIVE")
        for name, state in hosts.items()
        for each in state.nodes
    )
    there = seen(hosts=hosts, nodes=nodes)
    assert [step for step in plan(wanted(there=there), there).steps if step.kind == "node"] == []


def test_a_node_on_a_silent_host_is_waited_for_and_not_made_twice() -> None:
    hosts = {name: state for name, state in HOSTS.items() if name != "h2"}
    silent = {"h2": "h2 does not answer: no route"}
    placed = Placement({"worker-0": "h2"}, (SPEC.hosts[1],))
    there = seen(
        hosts=hosts,
        silent=silent,
        placement=placed,
        nodes=tuple(unseen(placed.nodes, silent, set(), ["head", "worker"])),
    )
    wants = wanted(there=there)
    (step,) = (step for step in plan(wants, there).steps if step.name == "worker-0")
    assert (step.action, step.reason) == ("wait", "is unknown: h2 does not answer: no route")
    assert {tuple(each.request["hosts"]) for each in wants.ground[:6]} == {("h1", "h3")}


def test_hosts_with_different_pythons_are_no_cluster() -> None:
    with pytest.raises(ConfigError) as caught:
        wanted(there=seen(hosts={**HOSTS, "h3": host(3, python="3.11.9")}))
    assert caught.value.what == "hosts have different Pythons: h1 has 3.11.7, h3 has 3.11.9"


def test_another_python_than_was_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"3\.12 is asked for, and the hosts have Python 3\.11\.7"):
        wanted(SPEC.model_copy(update={"python": "3.12"}))


@pytest.mark.parametrize("requirements", [None, "ray==2.59.0\n"])
def test_the_lock_file_must_fit(requirements: str | None) -> None:
    with pytest.raises(ConfigError):
        wanted(there=seen(requirements=requirements))


def test_a_script_of_ones_own_goes_to_the_hosts() -> None:
    workers = [{"cpu": 1, "replicas": 1, "script": "mine.py"}]
    spec = ClusterSpec.model_validate({**SPEC.model_dump(), "workers": workers})
    with pytest.raises(ConfigError, match=r"mine\.py is not here"):
        wanted(spec)
    ground = wanted(spec, seen(scripts={"mine.py": "print()"})).ground
    assert ("script", "mine.py") in [(each.kind, each.name) for each in ground]
    assert request("worker-0", spec=spec, there=seen(scripts={"mine.py": ""}))["body"]["command"][1] == "mine.py"


def _record(want: Any) -> Any:
    mark = want.create["body"]["mark"]
    return record(want.name, fingerprint=mark["fingerprint"], address=mark["address"])


def test_where_nodes_are_is_written_once_while_one_moves_and_once_at_the_end() -> None:
    before = Placement({"head": "h1", "worker-0": "gone", "worker-1": "h3"}, (SshHost(address="gone"),))
    moving = seen(placement=before)
    told = _placement(wanted(there=moving), "placement")
    assert told.nodes == {"head": "h1", "worker-0": "h2", "worker-1": "h3"}
    old = replace(host(9), directory="/old")
    node = to_node("gone", record("worker-0"), RayView(), SPEC, "", is_drained=False)
    leaving = seen(placement=before, nodes=(node,), hosts={**HOSTS, "gone": old})
    first = _placement(wanted(there=leaving), "placement")
    assert {each.name for each in first.hosts} == {"h1", "h2", "h3", "gone"}
    left = seen(placement=first, nodes=(replace(node, facts={"host": "h2", "address": "10.0.0.2"}),))
    assert _placement(wanted(there=left), "placement") == first
    last = _placement(wanted(there=left), "record")
    assert {each.name for each in last.hosts} == {"h1", "h2", "h3"}
    settled = seen(placement=last, nodes=left.nodes)
    assert _placement(wanted(there=settled), "placement") == last == _placement(wanted(there=settled), "record")


def _placement(wants: Wanted, kind: str) -> Placement:
    (written,) = (
        each for each in (*wants.ground, *wants.records) if each.kind == kind and each.name.endswith("placement.json")
    )
    return placement.parse(written.request["body"]["content"])
