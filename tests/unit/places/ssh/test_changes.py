"""What a step becomes on a host, and what is said when hosts that had nodes did not answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cai_deploy.places.ssh.changes import NodeChanges, nobody_left
from cai_deploy.places.ssh.errors import HostUnreachable
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Action, Step

HOSTS = {name: SshHost(address=name) for name in ("h1", "h2")}


class Asked:
    """Stands where hosts are asked; those in ``silent`` do not answer."""

    def __init__(self, silent: tuple[str, ...] = ()) -> None:
        self.calls: list[tuple[str, str, Mapping[str, Any]]] = []
        self._silent = silent

    def ask(self, host: SshHost, verb: str, cluster: str, request: Mapping[str, Any]) -> dict[str, Any]:
        assert cluster == "ray"
        if host.name in self._silent:
            raise HostUnreachable(host.name, "no route")
        self.calls.append((host.name, verb, request))
        return {}


def apply(action: Action, native_id: str = "", host: str = "", silent: tuple[str, ...] = ()) -> tuple[Asked, list[str]]:
    asked, said = Asked(silent), list[str]()
    request = {"host": host, "body": {"node": "worker-0", "replace": action != "create"}} if host else None
    step = Step(action, "node", "worker-0", "", 0, native_id, request)
    NodeChanges(asked, HOSTS, said.append).apply(step, "ray", 40.0, "owner")  # type: ignore[arg-type]
    return asked, said


def test_a_node_is_made_on_its_host() -> None:
    asked, _ = apply("create", host="h2")
    assert asked.calls == [("h2", "start", {"node": "worker-0", "replace": False})]


def test_a_node_is_started_again_as_it_was_where_it_is() -> None:
    asked, _ = apply("restart", "7@h1")
    assert asked.calls == [("h1", "start", {"node": "worker-0", "replace": True, "seconds": 40.0})]


def test_a_node_that_changes_its_host_is_ended_on_the_old_one_first() -> None:
    asked, said = apply("restart", "7@h1", "h2")
    assert [(host, verb) for host, verb, _ in asked.calls] == [("h1", "stop"), ("h2", "start")]
    assert not said


def test_a_node_leaves_a_host_that_does_not_answer_and_that_is_said() -> None:
    asked, said = apply("restart", "?@h1", "h2", silent=("h1",))
    assert [(host, verb) for host, verb, _ in asked.calls] == [("h2", "start")]
    assert "what may still run of it on h1" in said[0]


def test_a_node_is_ended_by_its_keeper_and_a_silent_host_is_an_error() -> None:
    asked, _ = apply("stop", "7@h1")
    assert asked.calls == [("h1", "stop", {"node": "worker-0", "seconds": 40.0, "keeper": "owner/ray/worker-0"})]
    with pytest.raises(HostUnreachable):
        apply("stop", "7@h1", silent=("h1",))


def test_hosts_with_nodes_that_did_not_answer_are_named() -> None:
    assert nobody_left({"h2": "no route"}, {"head": "h1"}) is None
    error = nobody_left({"h2": "no route"}, {"head": "h1", "worker-1": "h2", "worker-0": "h2"})
    assert error is not None
    assert (error.what, error.exit_code, error.retry_helps) == ("hosts could not be reached: h2", 5, True)
    assert error.why == "h2: worker-0, worker-1 may still run there; everything else is gone"
