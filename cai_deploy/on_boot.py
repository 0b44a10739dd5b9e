"""spec -> what has a host start its nodes again when it boots. Pure; nothing is installed here.

It finds the newest copy of the program on the host, and does nothing where the cluster is down.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from cai_deploy import layout
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost

UNIT = """\
# /etc/systemd/system/cai-deploy-{cluster}.service; then: systemctl enable cai-deploy-{cluster}
[Unit]
Description=The nodes of the Ray cluster {cluster} on this host
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
User={user}
ExecStart=/bin/sh -c {command}

[Install]
WantedBy=multi-user.target"""


def command(host: SshHost, cluster: str) -> str:
    """What a shell on the host runs."""
    code = layout.code_dir("*")
    return (
        f"cd {_quoted(host.directory_of(cluster))} && [ -d {layout.cluster_dir(cluster)} ] && "
        f'PYTHONPATH="$(ls -td {code} | head -n 1)" {shlex.quote(host.python)} -m cai_deploy.node.host_boot {cluster}'
    )


def crontab_lines(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """For each host by name, the line for the crontab of its user."""
    for host in spec.hosts:
        # In a crontab % ends the line.
        yield host.name, f"@reboot {command(host, spec.name)}".replace("%", r"\%")


def units(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """For each host by name, a unit of systemd."""
    for host in spec.hosts:
        # systemd reads % and $ itself.
        quoted = shlex.quote(command(host, spec.name)).replace("%", "%%").replace("$", "$$")
        yield host.name, UNIT.format(cluster=spec.name, user=host.user or "USER", command=quoted)


def _quoted(directory: str) -> str:
    home, _, rest = directory.partition("~/")
    return shlex.quote(directory) if home or not rest else f'"$HOME"/{shlex.quote(rest)}'
