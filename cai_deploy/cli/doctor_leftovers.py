"""What ``doctor`` does about processes that a cluster has left on hosts: it names them, and ends just those if told to.

Nothing but what was named is ended, and never while somebody has not agreed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cai_deploy.cli.checks import Agree, Check
from cai_deploy.errors import DeployError
from cai_deploy.places.ssh.control import Control
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost

PROGRAM = "host_leftovers"
SECONDS = 5.0


def leftovers(host: SshHost, spec: ClusterSpec, owner: str, control: Control, agree: Agree) -> Iterator[Check]:
    """What of the cluster runs on a host without its keeper; nothing for a host where all is well."""
    name = f"leftovers on {host.name}"
    try:
        left = control.ask(host, "find", spec.name, {"owner": owner}, program=PROGRAM)["left"]
        if not left:
            return
        told = named(left)
        if not agree(f"{host.name} has {told}"):
            step = "have just those ended: python -m cai_deploy doctor --clean-up"
            yield Check.failed(name, DeployError(told, next_step=step))
            return
        there = control.ask(host, "end", spec.name, {"left": left, "seconds": SECONDS}, program=PROGRAM)["left"]
    except DeployError as error:
        yield Check.failed(name, error)
        return
    if there:
        yield Check.failed(name, DeployError(f"still there: {named(there)}", next_step="see why they do not end: ps"))
    else:
        yield Check(name, f"{len(left)} processes ended")


def named(left: Sequence[Mapping[str, Any]]) -> str:
    """All of them, in words."""
    nodes = sorted({str(each["keeper"]).rpartition("/")[2] for each in left})
    lines = [f"\n        {each['pid']} (group {each['group']}) {each['command']}" for each in left]
    return f"{len(left)} processes of {', '.join(nodes)} that nobody looks after any more:{''.join(lines)}"
