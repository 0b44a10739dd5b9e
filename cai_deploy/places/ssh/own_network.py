"""At which address of this machine the other nodes of a cluster reach it, and whether they can.

Ray tells each node's address to all the others and connects to it directly, on the node's own machine too; and some of
it listens at that address alone (measured on Ray 2.60: with one that a router alone has, its agents cannot be bound and
its raylet ends). So an address counts only if this machine has it, be it on its loopback; no proxy helps.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from cai_deploy.errors import ConfigError

SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Of which Tailscale gives its addresses."""

USERSPACE = (
    "A VPN that runs in user space only (Tailscale with --tun=userspace-networking) gives this machine no address and"
    " no way out but a proxy, which Ray does not use"
)
KERNEL_MODE = (
    "run the VPN with a network interface: tailscaled without --tun=userspace-networking, and with /dev/net/tun"
)


class AddressNotHere(ConfigError):
    """The address is on no interface of this machine."""


def choose(head: str, address: str | None, bind: str | None) -> str:
    """The address by which the others know this machine, for a cluster whose head is at ``head``.

    What is left out is found. ``bind`` is where it arrives here, which is the same unless a router stands between.

    Raises AddressNotHere.
    """
    if bind and not is_here(bind):
        raise _not_here("--bind", bind, "name an address of this machine: ip address")
    if address is None:
        return bind or towards(head)
    if is_here(address):
        return address
    behind_nat = f"where a router (NAT) leads {address} here, give it to this machine too: {as_own(address)}"
    step = f"{KERNEL_MODE}; or, {behind_nat}" if in_vpn(address) and not bind else behind_nat
    raise _not_here("--address", address, step)


def as_own(address: str) -> str:
    """What gives this machine an address that is not on its network."""
    return f"ip address add {address}/32 dev lo"


def is_here(address: str) -> bool:
    """Whether an interface of this machine has the address."""
    with contextlib.suppress(OSError), socket.create_server((address, 0)):
        return True
    return False


def towards(host: str) -> str:
    """The address from which this machine talks to ``host``, "" when there is no way; no packet is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])
    return ""


def in_vpn(address: str) -> bool:
    """Whether it is one of those that Tailscale gives."""
    try:
        return ipaddress.ip_address(address) in SHARED
    except ValueError:
        return False


def why_unreached(host: str) -> str:
    """What may keep this machine from ``host``, beyond what a connection tells; "" for nothing that is known."""
    return f"{host} is in a VPN of which no interface is here. {USERSPACE}" if _outside_of(host) else ""


def step_to_reach(host: str) -> str:
    """What to do about it."""
    if _outside_of(host):
        return KERNEL_MODE
    return "name the address and the HTTP port of its head: --head HOST:PORT; `worker invite` tells both"


def _outside_of(host: str) -> bool:
    return in_vpn(host) and not in_vpn(towards(host))


def _not_here(option: str, address: str, next_step: str) -> AddressNotHere:
    why = "Ray listens at the very address by which the other nodes know it, so it has to be this machine's own"
    return AddressNotHere(
        f"{option} {address} is on no interface of this machine",
        why=f"{why}.\n{USERSPACE}." if in_vpn(address) else why,
        next_step=next_step,
    )
