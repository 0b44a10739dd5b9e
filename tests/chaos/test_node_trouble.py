"""What befalls single nodes and the files between them, on real Ray: each ends healthy, or in an error that says why.

Every test strikes one cluster that all share, and hands it on whole. Beside each, a detached actor on a node that is
not struck remembers: a cluster that came back empty would be healthy too, and worth nothing.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.api.schemas import CreateApplicationRequest
from tests.chaos.conftest import Trouble
from tests.chaos.real_cluster import LONG_WAIT, WHOLE, RealCluster, seconds_until
from tests.e2e.conftest import poll

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HARMLESS = 10
"""Seconds for which a network may be away."""

MEMORY = """
import ray
ray.init('auto', namespace='trouble')
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = next(node['NodeID'] for node in ray.nodes() if node['NodeName'] == 'worker-0' and node['Alive'])

@ray.remote(num_cpus=0)
class Counter:
    count = 0
    def add(self):
        self.count += 1
        return self.count

actor = Counter.options(
    name='memory', lifetime='detached', get_if_exists=True, scheduling_strategy=On(node, soft=False)
).remote()
print(f'COUNT IS {ray.get(actor.add.remote())}.')
"""

TASK_ON_A_NODE = """
import ray, time
ray.init('auto')
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = next(node['NodeID'] for node in ray.nodes() if node['NodeName'] == 'worker-1' and node['Alive'])

@ray.remote(num_cpus=1, max_retries=0, scheduling_strategy=On(node, soft=False))
def work():
    print('IT BEGINS', flush=True)
    time.sleep(5)
    return 'IT RAN'

print(ray.get(work.remote()))
"""

SILENT = """
import socket, sys
door = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("open", flush=True)
kept = []
while True:
    kept.append(door.accept())
"""

FILL = """
while true; do cat /dev/zero >>$0 2>/dev/null || echo full; sleep 0.02; done
"""

RAY_HAS_STARTED = "This command will now block forever"

STRANGER = 7999
"""A port at which somebody listens who is not our head."""

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
TRUE_SLEEP = Path(__file__).with_name("true_sleep.c")


class Memory:
    """A detached actor of the cluster that counts, and how far it should have come."""

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster
        self._count = 0

    def add(self) -> None:
        """One more; the actor must agree."""
        self._count += 1
        assert f"COUNT IS {self._count}." in self._cluster.run_python(MEMORY), "the cluster has lost its memory"


class Struck:
    """The cluster in the middle of one test: what was there before it, and how it is told afterwards."""

    def __init__(self, cluster: RealCluster, memory: Memory, trouble: Trouble) -> None:
        cluster.wait_until_whole()
        self.cluster = cluster
        self.raylets = cluster.raylets()
        self._memory = memory
        self._trouble = trouble
        self._seen = {node: len(cluster.journal(node)) for node in WHOLE}

    def told(self, node: str) -> str:
        """What the node's agent has written since."""
        return self.cluster.journal(node)[self._seen[node] :]

    def ends_whole(self, case: str, happened: str, seconds: float) -> None:
        """Note what happened; the cluster has to be whole, and to remember."""
        self._trouble(case, happened, seconds)
        self.cluster.wait_until_whole()
        self._memory.add()


@pytest.fixture(scope="module")
def memory(cluster: RealCluster) -> Memory:
    cluster.wait_until_whole()
    memory = Memory(cluster)
    memory.add()
    return memory


@pytest.fixture
def struck(cluster: RealCluster, memory: Memory, trouble: Trouble) -> Iterator[Struck]:
    yield Struck(cluster, memory, trouble)
    cluster.faults.clear()


def test_a_worker_whose_ray_is_killed(cluster: RealCluster, struck: Struck) -> None:
    dead = cluster.dead("worker-1")
    began = time.monotonic()
    cluster.kill_ray("worker-1")
    missed = seconds_until("it is missed", lambda: cluster.dead("worker-1") > dead)
    cluster.wait_until_whole()
    struck.ends_whole("worker's Ray SIGKILLed", f"DEAD after {missed:.1f} s; joined anew", time.monotonic() - began)


@pytest.mark.long
def test_a_worker_whose_pod_is_killed(cluster: RealCluster, struck: Struck) -> None:
    dead = cluster.dead("worker-1")
    began = time.monotonic()
    cluster.kill_pod("worker-1")
    missed = seconds_until("it is missed", lambda: cluster.dead("worker-1") > dead)
    cluster.wait_until_whole()
    what = f"DEAD after {missed:.1f} s; the platform started it again, elsewhere"
    struck.ends_whole("worker's pod SIGKILLed", what, time.monotonic() - began)


@pytest.mark.long
def test_an_application_that_is_deleted_by_hand(cluster: RealCluster, struck: Struck) -> None:
    began = time.monotonic()
    cluster.client.applications.delete(cluster.project.id, cluster.application("worker-1").id)
    assert cluster.client.applications.find(cluster.project.id, "ray-worker-1") is None
    cluster.shell.ok("launch", "--workers", "2")
    cluster.restarts_after(0.5)
    struck.ends_whole("worker's application deleted", "the next launch made it again", time.monotonic() - began)


def test_the_connection_file_of_a_running_cluster_is_spoiled(cluster: RealCluster, struck: Struck) -> None:
    info = cluster.connection()
    stale = {**info, "epoch": info["epoch"] - 1, "gcs_address": "10.77.99.99:6379", "node_address": "10.77.99.99"}
    whole = cluster.connection_file.read_text()
    seconds = []
    for text in (json.dumps(stale), whole[: len(whole) // 2], ""):
        cluster.connection_file.write_text(text)
        seconds.append(seconds_until("the head has healed it", lambda: cluster.connection_file.read_text() == whole))
    assert cluster.raylets() == struck.raylets, "nobody followed it"
    what = "the head wrote it again, nobody followed it"
    struck.ends_whole("connection file stale, cut in half, empty", what, max(seconds))


def test_a_head_that_finds_half_a_connection_file(cluster: RealCluster, struck: Struck) -> None:
    whole = cluster.connection_file.read_text()
    began = time.monotonic()
    cluster.kill_pod("head")
    cluster.connection_file.write_text(whole[: len(whole) // 2])
    poll("another head", lambda: connection_or_none(cluster) not in (None, json.loads(whole)))
    cluster.wait_until_whole()
    seconds = time.monotonic() - began
    assert cluster.connection()["epoch"] > json.loads(whole)["epoch"]
    assert "the last connection file is of no use" in struck.told("head")
    assert cluster.raylets() == struck.raylets
    struck.ends_whole("head starts on half a connection file", "it counts its epoch from the clock", seconds)


@pytest.mark.long
def test_a_worker_that_follows_a_stale_file_to_a_stranger(cluster: RealCluster, struck: Struck) -> None:
    """The head is away, its file leads to somebody who accepts and says nothing; then the head is there again."""
    info, head = cluster.connection(), cluster.application("head")
    wrong = f"{cluster.address('worker-0')}:{STRANGER}"
    stranger = cluster.beside("worker-0", "python3", "-c", SILENT, str(STRANGER))
    try:
        assert stranger.stdout
        assert stranger.stdout.readline() == "open\n"
        cluster.client.applications.stop(cluster.project.id, head.id)
        poll("the head is away", lambda: cluster.application("head").status == "APPLICATION_STOPPED")
        cluster.connection_file.write_text(json.dumps({**info, "gcs_address": wrong}))
        cluster.kill_pod("worker-1")
        began = time.monotonic()
        poll("the worker meets the stranger", lambda: wrong in struck.told("worker-1"))
        cluster.client.applications.restart(cluster.project.id, head.id)
        cluster.wait_until_whole()
        seconds = time.monotonic() - began
    finally:
        stranger.kill()
        stranger.wait()
    assert cluster.raylet("worker-0") == struck.raylets["worker-0"]
    assert "mesh" not in struck.told("worker-1"), "who is silent is no head behind a mesh"
    struck.ends_whole("stale file, somebody else there", "the worker joined once the head was back", seconds)


@pytest.mark.long
def test_a_worker_that_follows_a_stale_file_to_nobody(cluster: RealCluster, struck: Struck) -> None:
    info, head = cluster.connection(), cluster.application("head")
    cluster.client.applications.stop(cluster.project.id, head.id)
    poll("the head is away", lambda: cluster.application("head").status == "APPLICATION_STOPPED")
    cluster.connection_file.write_text(json.dumps({**info, "gcs_address": "10.77.99.99:6379"}))
    cluster.kill_pod("worker-1")
    began = time.monotonic()
    poll("the worker says what it waits for", lambda: "nobody listens at 10.77.99.99:6379" in struck.told("worker-1"))
    cluster.client.applications.restart(cluster.project.id, head.id)
    cluster.wait_until_whole()
    seconds = time.monotonic() - began
    struck.ends_whole("stale file, nobody there", "the worker waited, and said for whom", seconds)


def test_two_heads_at_once(cluster: RealCluster, struck: Struck) -> None:
    """A second head application, made by hand: the newer one reigns, the older one says why it went."""
    first, info = cluster.application("head"), cluster.connection()
    cluster.restarts_after(300)  # as the real one does; else the first would be back before anybody looks
    began = time.monotonic()
    second = cluster.client.applications.create(
        CreateApplicationRequest(
            project_id=cluster.project.id,
            name="by hand",
            subdomain="by-hand",
            script=first.script,
            runtime_identifier=first.runtime_identifier,
            cpu=first.cpu,
            memory=first.memory,
            environment=first.environment,
        )
    )
    try:
        poll("the older one goes", lambda: cluster.application("head").status == "APPLICATION_FAILED")
        gone = time.monotonic() - began
        overtaken = f"overtaken: a head with epoch {info['epoch'] + 1}"
        assert overtaken in struck.told("head")
        cluster.at("by-hand")
        cluster.wait_until_whole()
        seconds = time.monotonic() - began
        assert cluster.raylets() == struck.raylets, "the workers have followed the newer head"
    finally:
        cluster.at(first.subdomain)
        cluster.client.applications.delete(cluster.project.id, second.id)
        cluster.shell.ok("launch", "--workers", "2")
        cluster.restarts_after(0.5)
    cluster.wait_until_whole()
    assert cluster.raylets() == struck.raylets
    assert not list((cluster.directory / layout.gcs_store_dir("ray")).glob("store.aside.*")), "one store, never two"
    what = f"the older ended after {gone:.1f} s: overtaken; workers followed; launch put it right"
    struck.ends_whole("two heads at once", what, seconds)


@pytest.mark.parametrize(
    ("node", "cut"),
    [
        ("worker-1", 6),
        *(
            pytest.param(node, cut, marks=pytest.mark.long)
            for node, cut in [*(("worker-1", cut) for cut in (10, 60, 120)), *(("head", cut) for cut in (6, 60))]
        ),
    ],
)
def test_a_node_whose_network_is_cut(cluster: RealCluster, trouble: Trouble, node: str, cut: int) -> None:
    cluster.wait_until_whole()
    before, dead = cluster.raylets(), {name: cluster.dead(name) for name in WHOLE}
    missed = ""
    began = time.monotonic()
    with cluster.faults.during("pod_cut_off", target=f"ray-{node}"):
        while time.monotonic() - began < cut:
            if not missed and node != "head" and cluster.dead(node) > dead[node]:
                missed = f"DEAD after {time.monotonic() - began:.1f} s; "
            time.sleep(0.2)
    healed = time.monotonic()
    # The first news of the nodes after a cut may be older than the cut.
    poll("whole, and it stays so", lambda: stays_whole(cluster))
    kept = [name for name, pid in cluster.raylets().items() if pid == before[name]]
    again = sorted(set(before) - set(kept))
    happened = missed + (f"Ray of {', '.join(again)} joined anew" if again else "nobody's Ray was started again")
    if cut <= HARMLESS:
        assert not again, "a cut as short as that does no harm"
    if node != "head":
        assert "worker-0" in kept, "who was not cut off goes on"
    trouble(f"network of {node} cut for {cut} s", f"{happened}; whole so long after the cut", time.monotonic() - healed)


@pytest.mark.long
def test_a_full_disk_below_a_workers_ray(cluster: RealCluster, struck: Struck) -> None:
    temporary = temp_dir_of(cluster, "worker-1")
    cluster.inside("worker-1", "mount", "-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs", temporary)
    try:
        cluster.kill_ray("worker-1")
        poll("its Ray has started there", lambda: RAY_HAS_STARTED in struck.told("worker-1"), LONG_WAIT)
        cluster.wait_until_whole()
        raylet, began = cluster.raylet("worker-1"), time.monotonic()
        filler = cluster.beside("worker-1", "sh", "-c", FILL, f"{temporary}/filled")
        assert filler.stdout
        assert filler.stdout.readline() == "full\n"
        job = cluster.start_job(shlex.join(["python", "-c", TASK_ON_A_NODE]))
        log = cluster.log_at_end(job)
        assert "IT RAN" in log or "WorkerCrashedError" in log, "a process that cannot write its log may die of it"
        assert cluster.raylet("worker-1") == raylet, "the node stays"
        cluster.kill_ray("worker-1")
        poll("the error says so", lambda: "No space left on device" in struck.told("worker-1"), LONG_WAIT)
        filler.kill()
        filler.wait()
        cluster.inside("worker-1", "rm", f"{temporary}/filled")
        cluster.wait_until_whole()
        seconds = time.monotonic() - began
    finally:
        cluster.inside("worker-1", "umount", "-l", temporary)
        cluster.kill_pod("worker-1")
    task = "ran" if "IT RAN" in log else "failed (WorkerCrashedError)"
    what = (
        f"the node stayed, a task there {task}; Ray's start failed with ENOSPC in the log, and not once there was room"
    )
    struck.ends_whole("full disk in a worker's temp dir", what, seconds)


@pytest.mark.long
@pytest.mark.skipif(not (FAKETIME.exists() and shutil.which("cc")), reason="needs libfaketime and a C compiler")
@pytest.mark.parametrize(
    ("node", "offset"), [("worker-1", "+1h"), ("worker-1", "-1h"), ("head", "+1h"), ("head", "-1h")]
)
def test_a_node_whose_clock_is_wrong(cluster: RealCluster, struck: Struck, node: str, offset: str) -> None:
    """Wrong by an hour against the others: it works, is drained when it should be, and comes back."""
    application, preloaded = cluster.application(node), cluster.directory / ".cai-deploy" / "true_sleep.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", preloaded, TRUE_SLEEP], check=True)
    wrong = {"LD_PRELOAD": f"{preloaded}:{FAKETIME}", "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    began = time.monotonic()
    restart(cluster, node, {**application.environment, **wrong})
    try:
        cluster.wait_until_whole()
        seconds = time.monotonic() - began
        assert "IT RAN" in cluster.run_python(TASK_ON_A_NODE)
        job = cluster.start_job(shlex.join(["python", "-c", TASK_ON_A_NODE]))
        poll("the task runs", lambda: "IT BEGINS\n" in cluster.job_log(job), LONG_WAIT)
        drained = states_of(cluster, "worker-1").count("DRAINED")
        asked = cluster.ask("POST", "/cai-deploy/drain", json={"node": "worker-1", "deadline_seconds": 60})
        assert asked.json() == {"accepted": True}
        assert "IT RAN" in cluster.end_of_job(job), "a drain lets the work end"
        poll("it is drained", lambda: states_of(cluster, "worker-1").count("DRAINED") > drained, 30)
    finally:
        restart(cluster, node, application.environment)
        if node == "head":
            restart(cluster, "worker-1", cluster.application("worker-1").environment)
    struck.ends_whole(f"clock of {node} wrong by {offset}", "joined, worked, was drained as it should be", seconds)


def restart(cluster: RealCluster, node: str, environment: dict[str, str]) -> None:
    """Start a node anew with these variables; returns when it has joined."""
    starts, application = len(states_of(cluster, node)), cluster.application(node)
    cluster.client.applications.update(cluster.project.id, application.id, environment=environment)
    cluster.client.applications.restart(cluster.project.id, application.id)
    poll(f"another start of {node}", lambda: len(states_of(cluster, node)) > starts, LONG_WAIT)


def states_of(cluster: RealCluster, node: str) -> list[str]:
    """The states of all starts of the node, in no order: they are listed by the nodes' own clocks."""
    return [str(each["state"]) for each in cluster.nodes() if each["name"] == node]


def temp_dir_of(cluster: RealCluster, node: str) -> str:
    environ = Path(f"/proc/{cluster.agent(node)}/environ").read_text().split("\0")
    return next(each.partition("=")[2] for each in environ if each.startswith("TMPDIR="))


def stays_whole(cluster: RealCluster, seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if cluster.alive() != WHOLE:
            return False
        time.sleep(0.2)
    return True


def connection_or_none(cluster: RealCluster) -> dict[str, Any] | None:
    try:
        return cluster.connection()
    except ValueError:
        return None
