"""Heads on a Slurm as jobs that end, hand over and live beside those of others, from the login node, with real Ray."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from cai_deploy import layout
from cai_deploy.node.batch.port_blocks import WIDTH
from tests.e2e.conftest import Shell, poll
from tests.e2e.slurm_machines import SlurmMachines, slurm_machines, unavailable
from tests.e2e.slurm_people import processes_in, researcher

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

HEAD_ALONE = """
place: slurm
head: {{cpu: 1, memory_gb: 1.5, slurm: {{extra: {{nodelist: {machine}}}}}}}
workers: [{{replicas: 0}}]
timeouts: {{launch: 480, join: 240, stop: 10}}
"""

ENDS_AT_NIGHT = """
place: slurm
slurm: {idle: {after: 0.75, window: "02:30-09:00"}, export: [CAI_DEPLOY_CLOCK_OFFSET]}
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 0}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

HANDS_OVER = """
place: slurm
slurm: {handover: true, time: "2:00:00", checkpoint: 5}
head: {cpu: 1, memory_gb: 1.5}
workers:
  - {replicas: 1, cpu: 1, memory_gb: 1}
  - {name: gpu, replicas: 1, cpu: 2, memory_gb: 1, gpu: 1, labels: {kind: fast}}
timeouts: {launch: 480, join: 240, stop: 10}
"""

ON_A_GPU = """
import os, ray
ray.init()
print({node["NodeName"]: (node["Resources"]["CPU"], node["Resources"].get("GPU", 0)) for node in ray.nodes()})
print("SEES", ray.get(ray.remote(num_gpus=1)(lambda: os.environ["CUDA_VISIBLE_DEVICES"]).remote()))
"""

SLURMS_OWN = {6818}


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmMachines]:
    with slurm_machines(2) as machines:
        yield machines


def connection(shell: Shell) -> dict[str, object]:
    found = shell.status()["connection"]
    assert found
    return dict(found)


def nodes(shell: Shell) -> dict[str, str]:
    return {node["name"]: node["native_id"] for node in shell.status()["nodes"] if node["ray_state"] == "ALIVE"}


def listening(slurm: SlurmMachines, number: int) -> dict[int, set[int]]:
    """The TCP ports on which somebody listens on a machine, by their users' numbers."""
    found: dict[int, set[int]] = {}
    for line in slurm.inside(
        number, "ss", "--listening", "--tcp", "--numeric", "--extended", "--no-header"
    ).stdout.splitlines():
        uid = re.search(r"\buid:(\d+)", line)
        port = int(line.split()[3].rpartition(":")[2])
        found.setdefault(int(uid[1]) if uid else 0, set()).add(port)
    return found


def test_heads_of_two_users_on_one_machine(slurm: SlurmMachines) -> None:
    specification = HEAD_ALONE.format(machine=slurm.name(1))
    people = [
        researcher(slurm, "ours", specification=specification),
        researcher(slurm, "theirs", specification=specification, user="nobody"),
    ]
    for person in people:
        person.ok("launch")
    blocks = []
    for person, uid in zip(people, (os.geteuid(), 65534), strict=True):
        poll("its head is there", lambda person=person: "head" in nodes(person), deadline=60)
        head = nodes(person)["head"]
        told = person.ok("connect", "--slurm", head, "--json").json()
        assert told["head_node"] == slurm.name(1)
        block = set(range(told["port_offset"], told["port_offset"] + WIDTH))
        ports = listening(slurm, 1)[uid] - SLURMS_OWN
        print(f"{head} of {uid}: {sorted(ports)} in {min(block)} to {max(block)}")
        assert len(ports) > 8, "Ray of the head listens on all of its own"
        assert ports <= block
        blocks.append(block)
    assert not blocks[0] & blocks[1]
    for person in people:
        person.ok("down")
        poll("nothing is left", lambda person=person: not processes_in(person.checkout))
    assert not slurm.command("squeue", "--noheader")


def test_a_head_that_nobody_uses_ends_at_night(slurm: SlurmMachines) -> None:
    now = datetime.now()
    night = (now + timedelta(days=1)).replace(hour=3, minute=0)
    person = researcher(slurm, "idle", specification=ENDS_AT_NIGHT)
    person.environ["CAI_DEPLOY_CLOCK_OFFSET"] = f"{(night - now).total_seconds():.0f}"
    person.ok("launch")
    head = slurm.command("squeue", "--noheader", "--format=%A").strip()
    poll("it ends by itself", lambda: not slurm.command("squeue", "--noheader"), deadline=120)
    assert "COMPLETED" in slurm.command("scontrol", "show", "job", head)
    word = json.loads((person.checkout / layout.connection_file("ray")).read_text())
    assert "nobody has used it" in word["ended_why"]
    assert f"(job {head})" in person.ok("plan").stdout
    person.ok("down")


def test_groups_of_several_kinds_and_a_head_that_hands_over(slurm: SlurmMachines) -> None:
    person = researcher(slurm, "lasting", specification=HANDS_OVER)
    person.ok("launch")
    before, epoch = nodes(person), int(str(connection(person)["epoch"]))
    told = person.ok("submit", "--", "python", "-c", ON_A_GPU).stdout
    assert "'head': (1.0, 0)" in told
    assert "'worker-0': (1.0, 0)" in told
    assert "'gpu-0': (2.0, 1.0)" in told
    assert "SEES 0" in told, "the device that Slurm gave to the job"
    assert f"JOB {before['gpu-0']} ON {slurm.name(2)}" in slurm.command(
        "squeue", "--noheader", "--format=JOB %A ON %N", "--states=RUNNING"
    )

    slurm.command("scancel", "--batch", "--signal=USR1", before["head"])
    poll("another job is the head", lambda: nodes(person).get("head") not in (None, before["head"]), deadline=180)
    poll("the workers follow", lambda: set(nodes(person)) == {"head", "worker-0", "gpu-0"}, deadline=120)
    after = nodes(person)
    assert (after["worker-0"], after["gpu-0"]) == (before["worker-0"], before["gpu-0"]), "their jobs have gone on"
    assert int(str(connection(person)["epoch"])) == epoch + 1
    assert "nothing to do" in person.ok("launch").stderr
    person.ok("down")
    poll("nothing is left", lambda: not processes_in(person.checkout))
