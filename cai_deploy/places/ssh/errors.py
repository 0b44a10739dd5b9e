"""What comes of reaching for a host that does not let itself be reached, as classes to decide by.

Each says whose fault it is and whether trying again helps. SSH's own words are quoted for people and never read.
"""

from __future__ import annotations

from cai_deploy.errors import AuthenticationError, ConfigError, DeployError, Fault, PlaceUnreachable


class HostUnreachable(PlaceUnreachable):
    """Nobody answers at the host's SSH port, or the connection broke."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host} does not answer", why=why, next_step=f"see that it is up and reached from here: ssh {host}"
        )


class HostsLeft(PlaceUnreachable):
    """Nodes are on hosts that do not answer, so that they could not be ended."""

    def __init__(self, hosts: str, why: str) -> None:
        super().__init__(f"hosts could not be reached: {hosts}", why=why, next_step="run `down` again once they answer")


class HostKeyUnknown(AuthenticationError):
    """We meet the host for the first time, and nobody has said that it is the right one."""

    def __init__(self, host: str, algorithm: str, fingerprint: str, known_hosts: str) -> None:
        super().__init__(
            f"{host} is not known here",
            why=f"its {algorithm} key {fingerprint} is not in {known_hosts}",
            next_step=f"compare the fingerprint and connect once (ssh {host}), or trust first contacts: "
            "--accept-new-host-keys",
        )
        self.fingerprint = fingerprint


class HostKeyChanged(AuthenticationError):
    """The host shows another key than the one that is known: it was set up anew, or it is not the host."""

    def __init__(self, host: str, algorithm: str, fingerprint: str, known_hosts: str) -> None:
        super().__init__(
            f"{host} shows another key than the one that is known",
            why=f"its {algorithm} key is {fingerprint} now, and {known_hosts} has another: the host was set up anew, "
            "or somebody stands between",
            next_step=f"ask who runs the host; if the new key is right, forget the old one: ssh-keygen -R {host}",
        )


class KeyRefused(AuthenticationError):
    """The host does not let us in."""

    def __init__(self, host: str, user: str, why: str) -> None:
        super().__init__(
            f"{host} does not let {user} in",
            why=why,
            next_step="set `identity_file` and `user` of the host, or load the right key into your agent: ssh-add",
        )


class KeyUnusable(ConfigError):
    """The private key that was named cannot be used as it stands."""

    def __init__(self, host: str, identity_file: str, why: str) -> None:
        super().__init__(
            f"the key for {host} cannot be used: {identity_file}",
            why=why,
            next_step="name the private key's file; one with a passphrase goes into your agent: ssh-add",
        )


class HostUnfit(DeployError):
    """The host answers, and cannot do what it is asked for as it stands."""

    def __init__(self, host: str, what: str, why: str, next_step: str) -> None:
        super().__init__(f"{host}: {what}", why=why, next_step=next_step)


class HostTrouble(DeployError):
    """The host did not do what it was asked."""

    fault: Fault = "platform"

    def __init__(self, host: str, doing: str, why: str) -> None:
        super().__init__(
            f"cannot {doing} on {host}",
            why=why,
            next_step="see that its disk has room, and that the user may write in its directory",
        )


class HostsFull(ConfigError):
    """The hosts have no room for all nodes."""

    def __init__(self, node: str, needs: str, reasons: list[str]) -> None:
        super().__init__(
            f"no host has room for {node}, which needs {needs}",
            why="\n".join(reasons),
            next_step="add a host, set more `cpu` or `gpu` for one, or ask for fewer or smaller nodes",
        )
