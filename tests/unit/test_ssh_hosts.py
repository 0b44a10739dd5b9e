"""What people write of their hosts, and what they are told when it cannot be."""

from __future__ import annotations

import pytest

from cai_deploy.config import parse
from cai_deploy.errors import ConfigError
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost, head_host

ONE = "place: ssh\nhosts: [{address: 10.0.0.1}]\n"


def test_a_host_needs_an_address_alone() -> None:
    (host,) = parse(ONE).hosts
    assert (host.name, host.directory_of("ray"), host.python) == ("10.0.0.1", "~/.cai-deploy-hosts/ray", "python3")
    assert host.takes("head")
    assert host.takes("worker")


def test_hosts_survive_being_written_down() -> None:
    text = ONE.replace(
        "}]", ", port: 2222, groups: [head, worker], cpu: 8, gpu: 1, jump: 'me@gate:22', bind: 192.168.0.1}]"
    )
    spec = parse(text)
    assert parse(spec.to_json()) == spec
    assert spec.hosts[0].name == "10.0.0.1:2222"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("place: ssh", "hosts: name the hosts that nodes are to run on"),
        ("place: ssh\nhosts: [{address: a, groups: [worker]}]", "hosts: none takes head"),
        (ONE.replace("}]", "}, {address: 10.0.0.1}]"), "hosts: 10.0.0.1 is there twice"),
        (ONE.replace("}]", ", groups: [head, worker, gpu]}]"), "hosts: 10.0.0.1 takes gpu, and there is no such group"),
        (f"{ONE}watchdog: {{}}", "watchdog: not on ssh"),
        (f"{ONE}tls: true", "tls: not on ssh"),
        (f"{ONE}launch_with: inline", "launch_with: inline: not on ssh"),
        (f"{ONE}lifetime: 5", "lifetime: not on ssh, where nobody looks by the clock"),
        (ONE.replace("}]", ", directory: here}]"), "a path is one line, and absolute or below ~/"),
        (ONE.replace("10.0.0.1", "'-oProxyCommand=evil'"), "address"),
        (ONE.replace("}]", ", jump: 'a b'}]"), "jump"),
    ],
)
def test_what_cannot_be_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert told in f"{caught.value.what} {caught.value.why}"


def test_hosts_are_unused_elsewhere() -> None:
    assert ClusterSpec(hosts=(SshHost(address="10.0.0.1"),)).place == "cai"


def test_the_head_is_on_the_host_that_names_it_or_on_the_first_that_takes_any() -> None:
    first, second = SshHost(address="a"), SshHost(address="b", groups=("head",))
    assert head_host((first, second), "head") == second
    assert head_host((SshHost(address="c", groups=("worker",)), first), "head") == first
    assert head_host((), "head") is None
