"""What ``doctor`` says and does about what was left on a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cai_deploy.cli.checks import Check
from cai_deploy.cli.doctor_leftovers import leftovers
from cai_deploy.places.ssh.errors import HostUnreachable
from cai_deploy.ssh_hosts import SshHost
from tests.unit.places.ssh.samples import OWNER, SPEC

HOST = SPEC.hosts[1]
LEFT = [{"pid": 41, "began": "7", "group": 40, "keeper": f"{OWNER}/ray/worker-0", "command": "raylet --x"}]
TOLD = "1 processes of worker-0 that nobody looks after any more:\n        41 (group 40) raylet --x"


class Host:
    """Answers as a host does that has ``left``, of which ``stubborn`` do not end."""

    def __init__(self, left: list[dict[str, Any]], stubborn: list[dict[str, Any]] | None = None) -> None:
        self.left = left
        self.stubborn = stubborn or []
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, host: SshHost, verb: str, cluster: str, request: Mapping[str, Any], *, program: str) -> Any:
        assert (host, cluster, program) == (HOST, "ray", "host_leftovers")
        self.asked.append((verb, request))
        return {"left": self.left if verb == "find" else self.stubborn}


def checks(host: Host, *, agree: bool) -> list[Check]:
    heard: list[str] = []

    def answer(told: str) -> bool:
        heard.append(told)
        return agree

    found = list(leftovers(HOST, SPEC, OWNER, host, answer))  # type: ignore[arg-type]
    assert heard == ([f"h2 has {TOLD}"] if host.left else [])
    return found


def test_nothing_is_said_of_a_host_where_nothing_is_left() -> None:
    assert checks(Host([]), agree=True) == []


def test_nothing_is_ended_that_nobody_agreed_to() -> None:
    host = Host(LEFT)
    (check,) = checks(host, agree=False)
    assert (check.name, check.found, check.exit_code) == ("leftovers on h2", TOLD, 1)
    assert check.next_step == "have just those ended: python -m cai_deploy doctor --clean-up"
    assert host.asked == [("find", {"owner": OWNER})]


def test_just_those_are_ended_that_were_named() -> None:
    host = Host(LEFT)
    (check,) = checks(host, agree=True)
    assert (check.ok, check.found) == (True, "1 processes ended")
    assert host.asked[1] == ("end", {"left": LEFT, "seconds": 5.0})
    (check,) = checks(Host(LEFT, LEFT), agree=True)
    assert (check.ok, check.found) == (False, f"still there: {TOLD}")


def test_a_host_that_falls_silent() -> None:
    class Silent(Host):
        def ask(self, *_: Any, **__: Any) -> Any:
            raise HostUnreachable("h2", "no answer")

    (check,) = checks(Silent([]), agree=True)
    assert (check.ok, check.found) == (False, "h2 does not answer: no answer")
