"""What ``doctor`` says of hosts, and which ports it has bytes sent on."""

from __future__ import annotations

from cai_deploy.cli.doctor_ssh import closed_ports, fitness, known_ports
from tests.unit.places.ssh.samples import SPEC, host, record

HOST = SPEC.hosts[1]


def test_a_host_that_is_well_needs_no_words() -> None:
    assert list(fitness(HOST, host(2, record("worker-0")), SPEC, skew=1.0)) == []


def test_what_is_wrong_with_a_host() -> None:
    ill = host(2, record("worker-0", lives=False), disk=10**9, shm=10**8)
    checks = {check.name: check for check in fitness(HOST, ill, SPEC, skew=-90.0)}
    assert {name: check.found for name, check in checks.items()} == {
        "clock of h2": "90 s behind",
        "disk of h2": "1.0 GB are free for /home/h2",
        "shared memory of h2": "0.1 GB of shared memory are free, and a node takes 1.2 GB",
        "nodes of h2": "worker-0 of cluster ray ended there",
    }
    assert not any(check.ok for check in checks.values())
    assert all(check.next_step for check in checks.values())


def test_a_port_that_a_program_holds_is_open_if_it_accepts() -> None:
    found = {"1": "ok", "2": "something else answers", "3": "refused", "4": "it accepts and says nothing"}
    assert closed_ports(found, held=[2, 4]) == "port 3: refused"
    assert closed_ports(found, held=[]) == (
        "port 2: something else answers, 3: refused, 4: it accepts and says nothing"
    )
    assert closed_ports({"1": "ok"}, held=[]) == ""


def test_bytes_are_sent_on_what_is_known_beforehand() -> None:
    assert known_ports(SPEC) == [6379]
    ports = SPEC.ports.model_validate({"gcs": 6380, "node_manager": 8076, "worker_min": 11000, "worker_max": 11099})
    pinned = SPEC.model_copy(update={"ports": ports})
    assert known_ports(pinned) == [6380, 8076, 11000, 11001, 11002, 11003, 11004]
