"""What opens the ways between hosts, as commands."""

from __future__ import annotations

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.firewall import open_commands
from cai_deploy.spec import ClusterSpec

PINNED = {
    "node_manager": 8076,
    "object_manager": 8077,
    "dashboard_agent": 8078,
    "dashboard_agent_grpc": 8079,
    "runtime_env_agent": 8080,
    "metrics": 8081,
    "worker_min": 11000,
    "worker_max": 11020,
}
HOSTS = [{"address": "10.0.0.1", "groups": ["head"]}, {"address": "gpu1", "bind": "10.0.0.2"}, {"address": "10.0.0.3"}]


def spec(**ports: int) -> ClusterSpec:
    return ClusterSpec.model_validate({"place": "ssh", "hosts": HOSTS, "ports": ports})


def test_a_host_lets_the_others_in_and_the_head_to_more() -> None:
    rules = dict(open_commands(spec(**PINNED), "ufw"))
    assert list(rules) == ["10.0.0.1", "gpu1", "10.0.0.3"]
    assert rules["10.0.0.1"][0] == "ufw allow proto tcp from 10.0.0.2 to any port 6379  # gcs"
    assert "ufw allow proto tcp from 10.0.0.3 to any port 11000:11020  # worker processes" in rules["10.0.0.1"]
    assert not any("# gcs" in rule or "from 10.0.0.2 " in rule for rule in rules["gpu1"])
    assert "ufw allow proto tcp from 10.0.0.1 to any port 8076  # node_manager" in rules["gpu1"]


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ("nft", "nft add rule inet filter input ip saddr 10.0.0.1 tcp dport 11000-11020 accept  # worker processes"),
        (
            "firewall-cmd",
            "firewall-cmd --permanent --add-rich-rule='rule family=ipv4 source address=10.0.0.1"
            " port port=8076 protocol=tcp accept'  # node_manager",
        ),
    ],
)
def test_other_firewalls(tool: str, told: str) -> None:
    assert told in dict(open_commands(spec(**PINNED), tool))["10.0.0.3"]


def test_ports_that_ray_chooses_cannot_be_named() -> None:
    with pytest.raises(ConfigError, match="these are not pinned: node_manager"):
        dict(open_commands(spec(), "ufw"))
