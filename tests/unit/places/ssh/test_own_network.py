"""At which address of this machine others reach it, with real sockets."""

from __future__ import annotations

import pytest

from cai_deploy.places.ssh import own_network
from cai_deploy.places.ssh.own_network import AddressNotHere, choose

NOWHERE = "198.51.100.9"
IN_A_VPN = "100.64.0.9"


def test_an_address_is_found_or_taken_as_it_is_said() -> None:
    assert choose("127.0.0.1", None, None) == "127.0.0.1"
    assert choose("127.0.0.1", "127.0.0.2", None) == "127.0.0.2"
    assert choose("127.0.0.1", None, "127.0.0.3") == "127.0.0.3"


def test_an_address_that_is_on_no_interface() -> None:
    with pytest.raises(AddressNotHere) as plain:
        choose("127.0.0.1", NOWHERE, None)
    assert plain.value.what == f"--address {NOWHERE} is on no interface of this machine"
    assert "Tailscale" not in str(plain.value)
    assert plain.value.next_step.endswith(f"give it to this machine too: ip address add {NOWHERE}/32 dev lo")
    with pytest.raises(AddressNotHere) as vpn:
        choose("127.0.0.1", IN_A_VPN, None)
    assert "Tailscale with --tun=userspace-networking" in vpn.value.why
    assert vpn.value.next_step.startswith("run the VPN with a network interface")
    with pytest.raises(AddressNotHere, match="--bind"):
        choose("127.0.0.1", "127.0.0.1", NOWHERE)


def test_behind_nat_the_machine_has_both() -> None:
    assert choose("127.0.0.1", "127.0.0.2", "127.0.0.3") == "127.0.0.2"
    for address in (NOWHERE, IN_A_VPN):
        with pytest.raises(AddressNotHere) as error:
            choose("127.0.0.1", address, "127.0.0.3")
        step = f"leads {address} here, give it to this machine too: ip address add {address}/32 dev lo"
        assert error.value.next_step == f"where a router (NAT) {step}"


def test_a_head_in_a_vpn_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_network, "towards", lambda _: "10.0.0.5")
    assert "in a VPN of which no interface is here" in own_network.why_unreached(IN_A_VPN)
    assert own_network.why_unreached("10.0.0.1") == own_network.why_unreached("gpu1") == ""
    assert "--head HOST:PORT" in own_network.step_to_reach("gpu1")
    monkeypatch.setattr(own_network, "towards", lambda _: "100.64.0.5")
    assert own_network.why_unreached(IN_A_VPN) == ""
