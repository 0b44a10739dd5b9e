"""spec -> what opens the ways between hosts, as commands for people to run. Pure; nothing is run here.

A rule names a port and who may come: the other hosts of the cluster, and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy.errors import ConfigError
from cai_deploy.node_settings import NODE_PORTS, WORKER_PORTS
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.ssh_hosts import SshHost, head_host

HTTP_PORTS = (8100, 8119)
"""On which nodes answer: the first that is free on a host, each node one."""

TOOLS = {
    "ufw": "ufw allow proto tcp from {source} to any port {port}  # {what}",
    "nft": "nft add rule inet filter input ip saddr {source} tcp dport {port} accept  # {what}",
    "firewall-cmd": "firewall-cmd --permanent --add-rich-rule='rule family=ipv4 source address={source}"
    " port port={port} protocol=tcp accept'  # {what}",
}
RANGE = {"ufw": ":", "nft": "-", "firewall-cmd": "-"}

Ports = tuple[tuple[int, int, str], ...]
"""The first, the last, and what they are."""


def open_commands(spec: ClusterSpec, tool: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each host by name, the commands to run on it. Raises ConfigError unless every port is known beforehand."""
    head = head_host(spec.hosts, HEAD)
    for host in spec.hosts:
        sources = [address_of(other) for other in spec.hosts if other != host]
        ports = ports_of(spec, is_head=host == head)
        yield host.name, tuple(_command(tool, source, *port) for source in sources for port in ports)


def ports_of(spec: ClusterSpec, *, is_head: bool) -> Ports:
    """What others of the cluster connect to on a host. Raises ConfigError for a port that Ray would choose."""
    numbers, pinned = spec.ports.known(), spec.ports.pinned()
    missing = [name for name in (*NODE_PORTS, *WORKER_PORTS) if name not in pinned]
    if missing:
        raise ConfigError(
            f"a firewall needs fixed ports, and these are not pinned: {', '.join(missing)}",
            why="a port that Ray chooses itself cannot be named in a rule",
            next_step="pin them under `ports` of the specification; cai-deploy.yaml shows each of them",
        )
    heads = ("gcs", "client", "serve") if is_head else ()
    single = tuple((numbers[name], numbers[name], name) for name in (*heads, *NODE_PORTS))
    first, last = (numbers[name] for name in WORKER_PORTS)
    return (*single, (first, last, "worker processes"), (*HTTP_PORTS, "the nodes' HTTP ports"))


def address_of(host: SshHost) -> str:
    """Where a host comes from, as far as the specification says."""
    return host.bind or host.address


def _command(tool: str, source: str, first: int, last: int, what: str) -> str:
    port = str(first) if first == last else f"{first}{RANGE[tool]}{last}"
    return TOOLS[tool].format(source=source, port=port, what=what)
