"""A cluster on Docker Compose, with a real engine, real Compose and real Ray, through the real command line.

The tests are the life of one cluster, in the order in which they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from tests.e2e.conftest import poll
from tests.e2e.private_docker import DockerShell, PrivateDocker, join, private_docker, someone, unavailable
from tests.places.grounds import strike

NO_DOCKER = unavailable()

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(bool(NO_DOCKER), reason=NO_DOCKER),
]

WORKER = "{name: worker, replicas: %d, cpu: 1, memory_gb: 1, labels: {tier: %s}, env: {PRICE: '5$'}}"
SPECIFICATION = """
head: {cpu: 1, memory_gb: 1.5}
workers: [%s]
timeouts: {launch: 480, join: 240, stop: 10}
"""

REMEMBERS = (
    "import ray; ray.init('auto', namespace='kept')\n"
    "@ray.remote(num_cpus=0)\n"
    "class Kept:\n    def told(self): return 'kept'\n"
    "kept = Kept.options(name='kept', lifetime='detached', get_if_exists=True, "
    "label_selector={'cai-deploy/group': 'worker'}).remote()\n"
    "print(ray.get(kept.told.remote()))"
)

ASKS_THE_GUEST = (
    "import ray; ray.init('auto')\n"
    "@ray.remote(num_cpus=1, label_selector={'cai-deploy/group': 'remote-worker'})\n"
    "def ask():\n"
    "    context = ray.get_runtime_context()\n"
    "    (me,) = [each for each in ray.nodes() if each['NodeID'] == context.get_node_id()]\n"
    "    return me['NodeName'], me['NodeManagerAddress'], b'0' * 8_000_000\n"
    "name, address, data = ray.get(ask.remote(), timeout=60)\n"
    "print(name, address, len(data))"
)


@pytest.fixture(scope="module")
def docker() -> Iterator[PrivateDocker]:
    with private_docker() as started:
        yield started


@pytest.fixture(scope="module")
def shell(docker: PrivateDocker) -> Iterator[DockerShell]:
    """Somebody whose cluster has been launched. It is there until the last test took it down."""
    made = someone(docker, SPECIFICATION % (WORKER % (2, "a")))
    made.ok("launch")
    yield made
    if docker.containers():
        made.run("down")


def test_compose_has_nothing_to_warn_of(docker: PrivateDocker, shell: DockerShell) -> None:
    compose = f"docker compose --file {file(shell)}"
    profiles = docker.run("bash", "-c", f"{compose} config --profiles 2>&1").split()
    assert profiles == ["remote-worker"]
    for profile in ("", *(f"--profile {each}" for each in profiles), "--profile '*'"):
        assert docker.run("bash", "-c", f"{compose} {profile} config --quiet 2>&1") == "", profile


def test_what_compose_makes_of_the_file_is_what_nodes_are_told(docker: PrivateDocker, shell: DockerShell) -> None:
    config = json.loads(docker.run("docker", "compose", "--file", file(shell), "config", "--format", "json"))
    worker = config["services"]["worker"]
    assert worker["deploy"]["replicas"] == 2 if "deploy" in worker else worker["scale"] == 2
    (some, _) = of_group(docker, "worker")
    assert "PRICE=5$" in some["Config"]["Env"]
    assert some["HostConfig"]["Memory"] == 1024**3
    assert some["HostConfig"]["NanoCpus"] == 10**9


def test_only_this_host_may_knock(docker: PrivateDocker, shell: DockerShell) -> None:
    bindings = [binding for each in docker.containers() for binding in each["HostConfig"]["PortBindings"].values()]
    assert [binding[0]["HostIp"] for binding in bindings] == ["127.0.0.1", "127.0.0.1"]
    refused = docker.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8265/api/version")
    assert refused == "401"


def test_what_connect_prints_is_right_on_this_machine(shell: DockerShell) -> None:
    told = shell.ok("connect").stdout
    token = shell.checkout / layout.token_file("ray")
    assert (
        f"on this machine RAY_ADDRESS=ray://127.0.0.1:10001 RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={token}\n" in told
    )
    assert f'os.environ["RAY_AUTH_TOKEN_PATH"] = "{token}"' in told
    assert token.is_file()


def test_logs_of_the_workers_are_asked_for_by_role(shell: DockerShell) -> None:
    headings = [line for line in shell.ok("logs", "workers", "--tail", "1").stdout.splitlines() if line[:4] == "==> "]
    assert headings == ["==> worker-0 <==", "==> worker-1 <=="]


def test_docker_finds_its_nodes_healthy(docker: PrivateDocker, shell: DockerShell) -> None:
    poll("all are healthy", lambda: {healthy(each) for each in docker.containers()} == {"healthy"}, 60)


def test_a_worker_that_is_killed_comes_back_by_itself(docker: PrivateDocker, shell: DockerShell) -> None:
    before = members(shell)
    victim = of_group(docker, "worker")[0]
    strike(first_process(victim))
    poll("Docker starts it again", lambda: inspected(docker, victim)["RestartCount"] == 1)
    poll("all are there again", lambda: all_alive(shell), 120)
    assert members(shell) == before


def test_a_head_that_is_killed_comes_back_with_its_state(docker: PrivateDocker, shell: DockerShell) -> None:
    assert "kept" in shell.ok("submit", "--", "python", "-c", REMEMBERS).stdout
    before = members(shell)
    epoch = shell.status()["connection"]["epoch"]
    (head,) = of_group(docker, "head")
    strike(first_process(head))
    poll("it comes back", lambda: all_alive(shell) and shell.status()["connection"]["epoch"] > epoch, 180)
    assert members(shell) == before
    assert (
        "kept"
        in shell.ok(
            "submit",
            "--",
            "python",
            "-c",
            "import ray; ray.init('auto', namespace='kept'); print(ray.get(ray.get_actor('kept').told.remote()))",
        ).stdout
    )


def test_a_changed_group_is_rolled_and_the_others_stay(docker: PrivateDocker, shell: DockerShell) -> None:
    before = members(shell)
    specification(shell, 2, "b")
    planned = shell.ok("plan", "--json").json()
    assert "--no-recreate" in json.dumps(planned)
    shell.ok("launch")
    after = members(shell)
    assert after["head"] == before["head"]
    assert len(after) == 3
    assert not {*before.values()} & {*after.values()} - {before["head"]}
    assert shell.ok("launch", "--json").json()["steps"] == []


def test_a_restart_that_is_asked_for_keeps_the_container(docker: PrivateDocker, shell: DockerShell) -> None:
    before = members(shell)
    started = {each["Id"][:12]: each["State"]["StartedAt"] for each in docker.containers()}
    (name, *_) = sorted(set(before) - {"head"})
    shell.ok("restart", name)
    now = {each["Id"][:12]: each["State"]["StartedAt"] for each in docker.containers()}
    assert members(shell) == before
    assert [each for each, moment in now.items() if started[each] != moment] == [before[name]]


def test_an_engine_that_is_not_there_is_said_to_be_so(shell: DockerShell) -> None:
    elsewhere = DockerShell(shell.checkout, shell.home, environ={"DOCKER_HOST": f"unix://{shell.home}/nobody.sock"})
    silent = elsewhere.run("status")
    assert silent.status == 5
    assert "Docker's engine does not answer at unix://" in silent.stderr
    without = DockerShell(shell.checkout, shell.home, environ={"PATH": str(shell.home)}).run("doctor")
    assert without.status == 5
    assert "docker was not found" in without.stdout


def test_down_leaves_neither_container_nor_network_nor_volume(docker: PrivateDocker, shell: DockerShell) -> None:
    shell.ok("down")
    assert docker.containers() == []
    assert docker.run("docker", "network", "ls", "--quiet", "--filter=type=custom") == ""
    assert docker.run("docker", "volume", "ls", "--quiet") == ""
    assert not (shell.checkout / layout.cluster_dir("ray")).exists()


def test_a_worker_of_another_host_joins_a_head_on_its_hosts_network() -> None:
    with private_docker() as here, private_docker() as there:
        head_ip, node_ip = join(here, there)
        small = SPECIFICATION % (WORKER % (1, "a"))
        heads, workers = (someone(docker, small, address=head_ip) for docker in (here, there))
        heads.ok("launch")
        assert {binding for each in here.containers() for binding in each["HostConfig"]["PortBindings"] or {}} == set()
        token = heads.checkout / layout.token_file("ray")
        name = f"remote-worker-{node_ip.replace('.', '-')}"
        up = ("up-worker", "--head-ip", head_ip, "--token-file", str(token))
        assert f"{name} is started, and joins the head at {head_ip}" in workers.ok(*up).stderr
        assert workers.ok(*up).stderr.endswith(f"{name} runs here already, for the head at {head_ip}: nothing to do\n")
        poll("it has joined", lambda: "joining the head" in workers.run("logs", name).stdout, 60)
        told = heads.ok("submit", "--", "python", "-c", ASKS_THE_GUEST).stdout
        assert f"{name} {node_ip} 8000000" in told
        assert members(heads).keys() == {"head", "worker-0"}, "who was brought by hand is no part of the plan"
        assert heads.ok("launch", "--json").json()["steps"] == []
        workers.ok("down")
        assert there.containers() == []
        heads.ok("down")
        assert here.containers() == []


def specification(shell: DockerShell, replicas: int, tier: str) -> None:
    text = (shell.checkout / "cai-deploy.yaml").read_text()
    compose = "".join(line for line in text.splitlines(keepends=True) if line.startswith(("place:", "compose:")))
    shell.commit("cai-deploy.yaml", compose + SPECIFICATION % (WORKER % (replicas, tier)))


def file(shell: DockerShell) -> str:
    return str(shell.checkout / layout.compose_file("ray"))


def of_group(docker: PrivateDocker, group: str) -> list[dict[str, Any]]:
    return [each for each in docker.containers() if each["Config"]["Labels"]["cai-deploy.group"] == group]


def inspected(docker: PrivateDocker, container: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in docker.containers() if each["Id"] == container["Id"])


def healthy(container: dict[str, Any]) -> str:
    return str(container["State"]["Health"]["Status"])


def all_alive(shell: DockerShell) -> bool:
    status = shell.status()
    return bool(status["converged"]) and all(node["ray_state"] == "ALIVE" for node in status["nodes"])


def members(shell: DockerShell) -> dict[str, str]:
    return {node["name"]: node["native_id"] for node in shell.status()["nodes"]}


def first_process(container: dict[str, Any]) -> int:
    """The process of the host that is the first one of a container; what ends it ends all of them."""
    mark = f"HOSTNAME={container['Config']['Hostname']}\0".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "environ").read_bytes():
                numbers = (process / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
                if numbers[-1] == "1":
                    return int(process.name)
        except OSError:
            continue
    raise AssertionError(f"{container['Name']} has no process")
