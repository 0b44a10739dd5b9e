"""Starting, replacing and ending the processes of nodes, each on its own host.

A node is replaced by one that waits on the same host for the old one's end, so that what was begun goes on without us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cai_deploy.places.ssh.control import Control
from cai_deploy.places.ssh.errors import HostsLeft, HostUnreachable
from cai_deploy.places.ssh.members import host_of
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Step


class NodeChanges:
    """The changes of one run; ``hosts`` are those that were met, by name, and ``say`` hears what cannot be done."""

    def __init__(self, control: Control, hosts: Mapping[str, SshHost], say: Callable[[str], None]) -> None:
        self._control = control
        self._hosts = hosts
        self._say = say

    def apply(self, step: Step, cluster: str, seconds: float, owner: str) -> None:
        """Carry out a step; who does not end within ``seconds`` is killed. Raises what hosts do."""
        there = host_of(step.native_id) if step.native_id else ""
        wanted = str(step.request["host"]) if step.request else there
        if step.action == "stop":
            self._stop(step.name, there, cluster, seconds, owner)
            return
        if there and there != wanted:
            self._leave(step.name, there, cluster, seconds, owner)
        # Without a request it is started as it was, which its host remembers.
        again = {"node": step.name, "replace": True, "seconds": seconds}
        body = step.request["body"] if step.request else again
        self._control.ask(self._hosts[wanted], "start", cluster, body)

    def _stop(self, node: str, host: str, cluster: str, seconds: float, owner: str) -> None:
        request = {"node": node, "seconds": seconds, "keeper": f"{owner}/{cluster}/{node}"}
        self._control.ask(self._hosts[host], "stop", cluster, request)

    def _leave(self, node: str, host: str, cluster: str, seconds: float, owner: str) -> None:
        """End a node on the host that it is to leave, if that is there at all."""
        try:
            self._stop(node, host, cluster, seconds, owner)
        except HostUnreachable as error:
            self._say(f"{node} goes to another host; what may still run of it on {host} ends when you end it ({error})")


def nobody_left(hosts: Mapping[str, str], nodes: Mapping[str, str]) -> HostsLeft | None:
    """What is to be said when hosts that did not answer had ``nodes``; ``hosts`` is why each is silent."""
    left = {name: host for name, host in nodes.items() if host in hosts}
    if not left:
        return None
    told = [f"{host}: {', '.join(sorted(name for name in left if left[name] == host))}" for host in set(left.values())]
    why = "; ".join(sorted(told)) + " may still run there; everything else is gone"
    return HostsLeft(", ".join(sorted(set(left.values()))), why)
