"""Plain hosts over SSH: who is not let in, who is not who they were, hosts that fall silent, fail and come back.

What every place does alike is in tests/places. The tests share hosts, and one cluster after the first of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Shell, poll
from tests.e2e.ssh_hosts import SshHosts, ssh_hosts, unavailable
from tests.e2e.ssh_people import owner, specify

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

ONE_WORKER = {"workers": [{"replicas": 1, "cpu": 1, "memory_gb": 1}]}


@pytest.fixture(scope="module")
def hosts() -> Iterator[SshHosts]:
    with ssh_hosts(2) as running:
        yield running


@pytest.fixture(scope="module")
def shell(hosts: SshHosts) -> Iterator[Shell]:
    person = owner(hosts, entries(hosts), **ONE_WORKER)
    yield person
    person.run("down")


def workers(shell: Shell) -> list[dict[str, str]]:
    return [node for node in shell.status()["nodes"] if node["role"] == "worker"]


def entries(hosts: SshHosts, **more: object) -> list[dict[str, object]]:
    return [hosts.entry(1, groups=["head"]), hosts.entry(2, cpu=1, **more)]


def test_a_host_that_was_never_met_is_not_trusted_by_itself(hosts: SshHosts, shell: Shell) -> None:
    shell.environ["CAI_DEPLOY_ACCEPT_NEW_HOST_KEYS"] = ""
    refused = shell.run("launch")
    assert refused.status == 4
    assert "is not known here" in refused.stderr
    assert "SHA256:" in refused.stderr
    assert "--accept-new-host-keys" in refused.stderr
    assert hosts.files(1) == hosts.files(2) == []


def test_a_wrong_key_is_told_as_such(hosts: SshHosts, shell: Shell) -> None:
    specify(shell, entries(hosts, identity_file=str(hosts.home / "2" / "host_key")), **ONE_WORKER)
    refused = shell.run("launch", "--accept-new-host-keys")
    specify(shell, entries(hosts), **ONE_WORKER)
    assert refused.status == 4
    assert f"{hosts.address(2)} does not let root in" in refused.stderr


def test_doctor_sends_bytes_both_ways(hosts: SshHosts, shell: Shell) -> None:
    head, worker = hosts.address(1), hosts.address(2)
    well = shell.ok("doctor").stdout
    assert f"ok      way from {worker} to {head}: bytes come back on 1 ports" in well
    if not shutil.which("iptables"):
        pytest.skip("no iptables to close a port with")
    hosts.close(1, 6379)
    try:
        ill = shell.run("doctor")
    finally:
        hosts.open(1, 6379)
    assert ill.status == 1
    assert f"failed  way from {worker} to {head}: port 6379: no answer" in ill.stdout
    assert f"ok      way from {head} to {worker}" in ill.stdout


def test_full_hosts_are_told_before_anything_is_done(hosts: SshHosts, shell: Shell) -> None:
    refused = shell.run("launch", "--workers", "2")
    assert refused.status == 2
    assert "no host has room for worker-1, which needs 1 CPUs" in refused.stderr
    assert f"{hosts.address(2)} has 0 of 1 CPUs left" in refused.stderr
    assert f"{hosts.address(1)} does not take worker" in refused.stderr
    assert hosts.files(1) == hosts.files(2) == []


def test_a_disk_without_room_is_told_with_its_host(hosts: SshHosts, shell: Shell) -> None:
    directory = hosts.directory(2)
    made = hosts.inside(2, f"mkdir -p {directory} && mount -t tmpfs -o size=40m tmpfs {directory}")
    assert made.returncode == 0, made.stderr
    try:
        assert f"failed  disk of {hosts.address(2)}: 0.0 GB are free for {directory}" in shell.run("doctor").stdout
        full = shell.run("launch")
    finally:
        hosts.inside(2, f"umount {directory}")
    assert full.status == 1
    assert f"{hosts.address(2)}: " in full.stderr
    assert "No space left on device" in full.stderr
    assert "make room where the project lies" in full.stderr
    assert hosts.processes(1) == hosts.processes(2) == []


def test_a_host_that_was_switched_off_and_on_has_its_node_back(hosts: SshHosts, shell: Shell) -> None:
    shell.ok("launch")
    hosts.switch_off(2)
    hosts.switch_on(2)
    (worker,) = workers(shell)
    assert (worker["state"], worker["reason"]) == ("failed", "its host was started anew")
    told = shell.ok("launch", "--json").json()
    assert [step.split(":")[0] for step in told["steps"]] == ["restart node worker-0"]


def test_a_host_starts_its_nodes_again_when_it_boots(hosts: SshHosts, shell: Shell) -> None:
    printed = shell.ok("boot", "--json").json()["hosts"][hosts.address(2)]
    assert shell.run("boot", "--install").stderr.endswith("may be written\nhint: say it: --yes\n")
    assert hosts.boot_lines(2) == []
    first = shell.ok("boot", "--install", "--yes", "--json")
    assert first.json() == {"written": [hosts.address(1), hosts.address(2)]}
    assert f"  {printed} # cai_deploy: cluster ray in {hosts.directory(2)}\n" in first.stderr, "shown as it is written"
    again = shell.ok("boot", "--install", "--yes", "--json")
    assert (again.json(), again.stderr.count("already: nothing to do")) == ({"written": []}, 2)
    hosts.switch_off(2)
    hosts.switch_on(2)
    (line,) = hosts.boot_lines(2)
    booted = hosts.inside(2, line)
    assert booted.stdout == "1 nodes of cluster ray started\n", booted.stderr
    poll("the worker is back", lambda: "ALIVE" in [each["ray_state"] for each in workers(shell)], 120)
    assert hosts.inside(2, line).stdout == "0 nodes of cluster ray started\n"
    assert shell.ok("launch", "--json").json()["steps"] == []
    assert set(shell.ok("boot", "--remove", "--json").json()["gone"]) == {hosts.address(1), hosts.address(2)}
    assert (hosts.boot_lines(1), hosts.boot_lines(2)) == ([], [])
    assert shell.ok("boot", "--remove", "--json").json() == {"gone": {}}
    shell.ok("boot", "--install", "--yes")  # `down` takes it away too


def test_doctor_ends_what_a_keeper_has_left_and_nothing_else(hosts: SshHosts, shell: Shell) -> None:
    (worker,) = workers(shell)
    assert "leftovers" not in shell.run("doctor").stdout
    hosts.inside(2, f"kill -9 {worker['native_id'].partition('@')[0]}")
    stranger = hosts.inside(2, "setsid sleep 987 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    ill = shell.run("doctor")
    assert ill.status == 1
    assert f"failed  leftovers on {hosts.address(2)}: " in ill.stdout
    assert "processes of worker-0 that nobody looks after any more:" in ill.stdout
    assert "hint: have just those ended: python -m cai_deploy doctor --clean-up" in ill.stdout
    assert len(hosts.processes(2)) > 1
    assert f"ok      leftovers on {hosts.address(2)}: " in shell.run("doctor", "--clean-up").stdout
    assert hosts.processes(2) == ["sleep 987"]
    assert hosts.inside(2, f"kill {stranger}").returncode == 0
    assert "leftovers" not in shell.run("doctor", "--clean-up").stdout
    assert [step.split(":")[0] for step in shell.ok("launch", "--json").json()["steps"]] == ["restart node worker-0"]


def test_the_head_is_reached_through_ssh_where_a_firewall_closes_its_port(hosts: SshHosts, shell: Shell) -> None:
    if not shutil.which("iptables"):
        pytest.skip("no iptables to close a port with")
    hosts.close(1, 8100)
    try:
        assert [each["ray_state"] for each in workers(shell)] == ["ALIVE"]
        assert "three: 3" in shell.ok("submit", "--", "python", "-c", "print('three:', 1 + 2)").stdout
    finally:
        hosts.open(1, 8100)


def test_a_silent_host_is_no_host_without_nodes(hosts: SshHosts, shell: Shell) -> None:
    hosts.cut(2)
    try:
        (worker,) = workers(shell)
        assert worker["state"] == "unknown"
        assert f"{hosts.address(2)} does not answer" in worker["reason"]
        down = shell.run("down")
        assert down.status == 5
        assert f"hosts could not be reached: {hosts.address(2)}" in down.stderr
        assert not hosts.processes(1)
    finally:
        hosts.mend(2)
    assert hosts.processes(2)
    shell.ok("down")
    poll("nothing is left", lambda: not hosts.processes(1) and not hosts.processes(2))
    for number in hosts.numbers:
        assert [file for file in hosts.files(number) if not file.startswith(".cai-deploy/logs/")] == []
        assert hosts.boot_lines(number) == []


def test_a_changed_key_is_never_taken(hosts: SshHosts, shell: Shell) -> None:
    hosts.change_host_key(2)
    refused = shell.run("launch")
    assert refused.status == 4
    assert f"{hosts.address(2)} shows another key than the one that is known" in refused.stderr
    assert f"ssh-keygen -R {hosts.address(2)}" in refused.stderr
