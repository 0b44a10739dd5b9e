"""What has the hosts of a specification start their nodes again when they boot: looked at, written, taken away."""

from __future__ import annotations

from cai_deploy import on_boot
from cai_deploy.places.ssh.boot_entries import Asked, BootEntry, answered, entry_of
from cai_deploy.places.ssh.control import Control
from cai_deploy.places.ssh.crowd import do_all
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost

PROGRAM = "host_boot_entry"


def entries_on(spec: ClusterSpec, control: Control) -> list[BootEntry]:
    """Those of all hosts; nothing is changed. Raises NoBootEntry, and what asking a host does."""
    return list(do_all(spec.hosts, lambda host: entry_of(host.name, _asking(host, spec, control))).values())


def taken_away(spec: ClusterSpec, control: Control) -> dict[str, list[str]]:
    """What was taken away on each host. Raises as ``entries_on`` does."""

    def take_away(host: SshHost) -> list[str]:
        return list(answered(host.name, _asking(host, spec, control)("take_away"))["gone"])

    return do_all(spec.hosts, take_away)


def _asking(host: SshHost, spec: ClusterSpec, control: Control) -> Asked:
    request = {"command": on_boot.command(host, spec.name)}
    return lambda verb: control.ask(host, verb, spec.name, request, program=PROGRAM)
