"""Nodes as jobs of a real Slurm, side by side on one machine with one address, with real Ray."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import connection, layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.node_settings import NodeSettings
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.state import NodeState
from tests.e2e.private_slurm import PrivateSlurm, missing, private_slurm
from tests.polling import eventually

ADDRESS = "127.88.0.1"
"""That of all jobs: their machine has no other."""

REPOSITORY = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=f"needs Slurm: {', '.join(missing())} not found"),
]

HEAD = NodeSettings("ray", "head", "head", "ray-test", "2.60.0", cpu=1, memory_gb=1, stop_timeout=24, join_timeout=120)
WORKER = replace(HEAD, role="worker", group="worker")

WHERE = """
import os, ray, sys
ray.init(address="auto", log_to_driver=False)
mine = ray.get_runtime_context().get_node_id()
name = next(node["NodeName"] for node in ray.nodes() if node["NodeID"] == mine)
print("driver", name, "in", os.getcwd(), flush=True)
print("sum", sum(ray.get([ray.remote(lambda n: n * n).remote(n) for n in range(10)])), flush=True)
sys.exit(int(sys.argv[1]))
"""

CHECKPOINTS = """
import os, ray, signal, sys, time
ray.init(address="auto", log_to_driver=False)
def save(number, frame):
    print("checkpoint", flush=True)
    sys.exit(9)
signal.signal(signal.SIGUSR1, save)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""

COUNTS = """
import ray, time
ray.init(address="auto", namespace="test", log_to_driver=False)
@ray.remote(num_cpus=0, lifetime="detached", name="counter", get_if_exists=True)
class Counter:
    count = 0
    def next(self):
        self.count += 1
        return self.count
counter = Counter.options(label_selector={"cai-deploy/group": "worker"}).remote()
while True:
    print("count", ray.get(counter.next.remote()), flush=True)
    time.sleep(1)
"""


class Project:
    """A directory that all jobs share, and the jobs of one cluster in it."""

    def __init__(self, root: Path, environment: Path, slurm: PrivateSlurm, cluster: str = "ray") -> None:
        self.root = root
        self.cluster = cluster
        self.queue = Queue(slurm.environ)
        self._slurm = slurm
        self._python = environment / "bin" / "python"

    def submit(self, node: str, settings: NodeSettings, variables: Mapping[str, str], *options: str) -> int:
        settings = replace(settings, cluster=self.cluster)
        script = self.root / layout.job_script_file(self.cluster, node)
        script.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "CAI_DEPLOY_NODE": node,
            "CAI_DEPLOY_PLACE": "slurm",
            "CAI_DEPLOY_ADDRESS": ADDRESS,
            "CAI_DEPLOY_SETTINGS": settings.to_json(),
            "CAI_DEPLOY_CHECKPOINT": "20",
            "PYTHONPATH": str(REPOSITORY),
            "SLURM_CONF": str(self._slurm.configuration),
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            **variables,
        }
        lines = [
            "#!/bin/bash",
            "#SBATCH --mem=100M --ntasks=1 --cpus-per-task=1 --export=NONE --no-requeue --open-mode=append",
            f"#SBATCH --output={self.root}/{node}.out",
            f"cd {shlex.quote(str(self.root))} || exit 78",
            *(f"export {name}={shlex.quote(value)}" for name, value in told.items()),
            f"exec {self._python} -m cai_deploy.node {settings.role}",
        ]
        script.write_text("\n".join(lines) + "\n")
        mark = Mark(self.cluster, owner_of(str(self.root)), node, settings.group, "f" * 16, 1, "a" * 12)
        words = (f"--job-name={mark.job_name}", f"--comment={mark.comment()}", *options)
        return int(self._slurm.command("sbatch", "--parsable", *words, str(script)))

    def head(self, *options: str, **variables: str) -> int:
        return self.submit("head", HEAD, variables, *options)

    def worker(self, number: int = 0) -> int:
        return self.submit(f"worker-{number}", WORKER, {})

    def client(self, name: str, script: str, *arguments: str) -> int:
        work = self.root / f"work of {name}"
        work.mkdir()
        (work / "x.py").write_text(script)
        run = {
            "CAI_DEPLOY_RUN": json.dumps(["python", "x.py", *arguments]),
            "CAI_DEPLOY_RUN_DIRECTORY": str(work),
        }
        return self.submit(name, WORKER, run)

    def info(self) -> ConnectionInfo | None:
        return connection.load(self.root / layout.connection_file(self.cluster))

    def head_file(self, job_id: int) -> Path:
        return self.root / layout.head_job_file(self.cluster, job_id)

    def told(self, node: str) -> str:
        file = self.root / f"{node}.out"
        return file.read_text(errors="replace") if file.exists() else ""

    def says(self, node: str, words: str, seconds: float = 120) -> str:
        try:
            eventually(lambda: words in self.told(node), seconds=seconds)
        except AssertionError:
            raise AssertionError(f"{node} does not say {words!r}:\n{self.story()}") from None
        return self.told(node)

    def story(self) -> str:
        return "\n".join(f"--- {file.name}\n{file.read_text()[-4000:]}" for file in sorted(self.root.glob("*.out")))

    def ended(self, job_id: int, seconds: float = 120) -> tuple[NodeState, int]:
        try:
            job = eventually(lambda: self._over(job_id), seconds=seconds)
        except AssertionError:
            raise AssertionError(f"job {job_id} does not end:\n{self.story()}") from None
        return job.standing.state, job.exit_code.status

    def _over(self, job_id: int) -> Job | None:
        job = self.queue.job(job_id)
        return job if job and job.over else None

    def stop(self) -> None:
        # SIGKILL follows scancel's SIGTERM sooner here than Ray can end.
        for job in self.queue.jobs():
            if not job.over:
                self.queue.warn(job.job_id, "TERM")


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    with private_slurm() as running:
        yield running


@pytest.fixture
def project(slurm: PrivateSlurm, ray_environment: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    root = Path(tempfile.mkdtemp(prefix=f"{request.node.name}-", dir=slurm.home))
    project = Project(root, ray_environment, slurm)
    yield project
    project.stop()
    pending = [job.job_id for job in project.queue.jobs() if job.standing.state is NodeState.PENDING]
    project.queue.cancel(pending)
    eventually(lambda: all(job.over for job in project.queue.jobs()), seconds=120)


def listening(block: range) -> set[int]:
    """The ports of the block that somebody of this machine listens on."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    words = (line.split() for line in lines)
    return {int(each[1].rpartition(":")[2], 16) for each in words if each[3] == "0A"} & set(block)


def test_two_heads_and_their_clients_on_one_machine(
    project: Project, ray_environment: Path, slurm: PrivateSlurm
) -> None:
    other = Project(project.root, ray_environment, slurm, "other")
    ours, theirs = project.head(), other.submit("other-head", HEAD, {})
    files = [project.head_file(ours), other.head_file(theirs)]
    for file in files:
        eventually(file.exists, seconds=180)
    told: list[dict[str, Any]] = [json.loads(file.read_text()) for file in files]
    assert [each["job_id"] for each in told] == [ours, theirs]
    assert {each["node_address"] for each in told} == {ADDRESS}
    assert told[0]["head_node"] == "n1"
    blocks = [range(each["port_offset"], each["port_offset"] + 128) for each in told]
    assert not set(blocks[0]) & set(blocks[1])
    for each, block in zip(told, blocks, strict=True):
        opened = {int(each[name].rpartition(":")[2]) for name in ("gcs_address", "client_address", "dashboard_address")}
        assert opened <= set(block)
        eventually(lambda block=block: len(listening(block)) >= 10, seconds=120)  # type: ignore[misc]
    first = project.client("client-a", WHERE, "0")
    second = project.client("client-b", WHERE, "3")
    assert project.ended(first) == (NodeState.STOPPED, 0), project.story()
    assert project.ended(second) == (NodeState.FAILED, 3), project.story()
    for name, job_id in (("client-a", first), ("client-b", second)):
        said = project.told(name)
        assert f"driver client-{job_id} in {project.root}/work of {name}\n" in said, "it is attached to its own node"
        assert "sum 285" in said
    project.stop()
    assert project.ended(ours) == project.ended(theirs) == (NodeState.STOPPED, 0)
    assert not any(file.exists() for file in files)


def test_a_head_hands_over_and_its_nodes_follow(project: Project) -> None:
    head = project.head("--time=60", CAI_DEPLOY_HANDOVER="1", CAI_DEPLOY_CHECKPOINT="2")
    worker = project.worker()
    client = project.client("client", COUNTS)
    project.says("client", "count 3")
    first = eventually(lambda: (info := project.info()) and info.expires_at and info, seconds=180)
    project.queue.warn(head)
    project.says("client", "the head hands over to its successor: the script has no handler")
    assert project.ended(head) == (NodeState.STOPPED, 0)
    second = eventually(lambda: (info := project.info()) and info.epoch == 2 and info, seconds=180)
    assert second.gcs_address != first.gcs_address
    counted = project.told("client").count("count")
    eventually(lambda: project.told("client").count("count") > counted + 3, seconds=180)
    counts = [int(line.split()[1]) for line in project.told("client").splitlines() if line.startswith("count ")]
    assert counts == list(range(1, len(counts) + 1)), "the actor has kept its state"
    ((mark, job),) = [each for each in project.queue.of("ray", owner_of(str(project.root))) if each[1].job_id > client]
    assert (mark.node, mark.group, job.name) == ("head", "head", "ray-head")
    assert mark.ticket != "a" * 12
    project.queue.warn(client, "TERM")
    status = project.ended(client)[1]  # SIGTERM reaches driver and raylet at once: 15, or what Ray makes of that
    assert status, project.told("client")
    assert f"python ended with status {status}" in project.told("client")
    # The successor's own script hands over in turn; a worker whose time ends goes by itself.
    project.queue.warn(worker)
    assert project.ended(worker) == (NodeState.STOPPED, 0)
    assert "this node drains" in project.told("worker-0")


def test_the_end_of_a_heads_time_is_that_of_its_cluster(project: Project) -> None:
    head = project.head()
    worker = project.worker()
    client = project.client("client", CHECKPOINTS)
    project.says("client", "ready")
    project.queue.warn(head)
    assert project.ended(client) == (NodeState.FAILED, 9)
    assert project.ended(head) == (NodeState.STOPPED, 0)
    assert project.ended(worker) == (NodeState.STOPPED, 0)
    info = project.info()
    assert info
    assert info.warned_at
    assert info.ended_why == "its head's time limit was near"
