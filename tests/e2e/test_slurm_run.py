"""A cluster on a Slurm of four machines and the experiments that join it, from the login node, with real Ray.

The first tests are the life of one cluster, in the order in which they stand, as each cluster takes half a minute.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy import layout
from tests.e2e.conftest import Shell, poll
from tests.e2e.slurm_machines import SlurmMachines, slurm_machines, unavailable
from tests.e2e.slurm_people import processes_in, researcher

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

MEETS_OTHERS = """
import ray, sys, time
ray.init()
end = time.monotonic() + 150
clients = set()
while len(clients) < 3 and time.monotonic() < end:
    clients |= {node["NodeName"] for node in ray.nodes() if node["NodeName"].startswith("client-")}
    time.sleep(0.2)

@ray.remote
def square(number):
    return number * number

print("RESULT", sys.argv[1], sum(ray.get([square.remote(each) for each in range(5)])), len(clients), flush=True)
sys.exit(int(sys.argv[1]))
"""

SAVES = """
import pathlib, ray, signal, sys, time

def save(*_):
    pathlib.Path("saved").write_text("all of it")
    sys.exit(0)

signal.signal(signal.SIGUSR1, save)
ray.init()
print("WORKS", flush=True)
time.sleep(600)
"""

SPECIFICATION = """
place: slurm
head: {cpu: 1, memory_gb: 1.5}
# By itself Slurm waits two minutes before it starts a job once more whose machine failed.
workers: [{replicas: 1, cpu: 1, memory_gb: 1, slurm: {requeue: false}}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

SMALL_CLIENT = ("--mem=1G", "--time=20")


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmMachines]:
    with slurm_machines() as machines:
        yield machines


@pytest.fixture(scope="module")
def person(slurm: SlurmMachines) -> Iterator[Shell]:
    """Somebody whose cluster runs: a head and two workers."""
    shell = researcher(slurm, specification=SPECIFICATION)
    launched = shell.ok("launch", "--workers", "2")
    assert "3 nodes ALIVE" in launched.stderr
    yield shell
    shell.run("down")


def jobs(slurm: SlurmMachines) -> dict[str, tuple[int, str]]:
    """The number and the machine of each job that has not ended, by its name."""
    lines = slurm.command("squeue", "--noheader", "--format=%j %A %N").splitlines()
    found = (line.split(" ") for line in lines)
    return {name: (int(number), machine) for name, number, machine in found}


def head_of(slurm: SlurmMachines) -> str:
    return str(jobs(slurm)["ray-head"][0])


def alive(shell: Shell) -> dict[str, str]:
    """The jobs of the nodes that Ray knows, by the nodes' names."""
    return {node["name"]: node["native_id"] for node in shell.status()["nodes"] if node["ray_state"] == "ALIVE"}


def test_three_experiments_at_once(slurm: SlurmMachines, person: Shell) -> None:
    (person.checkout / "meet.py").write_text(MEETS_OTHERS)
    before, head = alive(person), head_of(slurm)
    running = [
        person.start("slurm", "run", head, *SMALL_CLIENT, "--follow", "meet.py", status) for status in ("0", "3", "0")
    ]
    ended = [process.communicate(timeout=240) for process in running]
    for process, (out, err) in zip(running, ended, strict=True):
        print(err, out)
        assert f"RESULT {process.returncode} 30 3" in out
    assert [process.returncode for process in running] == [0, 3, 0]
    assert alive(person) == before, "a client is no member"
    listed = json.loads(person.ok("slurm", "list", "--json").stdout)["heads"]
    assert [(each["job_id"], each["clients"]) for each in listed] == [(int(head), [])]


def test_what_is_refused_before_anything_is_submitted(slurm: SlurmMachines, person: Shell) -> None:
    (person.checkout / "some.py").write_text("print('runs')")
    head, worker = head_of(slurm), str(jobs(slurm)["ray-worker-0"][0])
    before = jobs(slurm)
    for arguments, told in (
        ((head, "away.py"), "no script away.py"),
        ((worker, "some.py"), "worker-0"),
        (("99999", "some.py"), "knows no job 99999"),
        ((head, "--partition=nowhere", "some.py"), "no partition nowhere"),
        ((head, "--output=x", "some.py"), "cai_deploy's"),
    ):
        refused = person.run("slurm", "run", *arguments)
        assert refused.status in (1, 2)
        assert told in refused.stderr
    assert jobs(slurm) == before


def test_a_shell_is_told_where_the_head_is(slurm: SlurmMachines, person: Shell) -> None:
    head, machine = jobs(slurm)["ray-head"]
    exports = person.ok("connect", "--slurm", str(head), "--export").stdout
    script = f'set -a\n{exports}\nprintf "%s\\n" "$RAY_HEAD_NODE" "$RAY_HEAD_IP:$RAY_GCS_PORT" "$SLURM_HEAD_JOB_ID"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    address = slurm.address(slurm.number_of(machine))
    assert told[0] == machine
    assert told[1].startswith(f"{address}:")
    assert told[2] == str(head)
    token = (person.checkout / layout.token_file("ray")).read_text().strip()
    assert token not in exports


def test_a_script_whose_time_ends_is_warned_and_saves_its_work(slurm: SlurmMachines, person: Shell) -> None:
    (person.checkout / "save.py").write_text(SAVES)
    # Warned 70 s after its beginning, by when it works even on a busy machine.
    limit = ("--mem=1G", "--time=2", "--signal=USR1@50")
    started = person.ok("slurm", "run", head_of(slurm), *limit, "--json", "save.py").json()
    output, job = Path(started["output"]), str(started["job_id"])
    poll("the script works", lambda: output.exists() and "WORKS" in output.read_text(), deadline=120)
    poll("its job has ended", lambda: "COMPLETED" in slurm.command("scontrol", "show", "job", job), deadline=150)
    assert (person.checkout / "saved").read_text() == "all of it"
    assert "this job's time ends: the script hears of it by SIGUSR1" in output.read_text()


def test_scale_to_three(slurm: SlurmMachines, person: Shell) -> None:
    before = alive(person)
    person.ok("scale", "--workers", "3")
    assert alive(person).items() > before.items()
    assert set(alive(person)) == {"head", "worker-0", "worker-1", "worker-2"}


def test_the_machine_of_a_worker_fails(slurm: SlurmMachines, person: Shell) -> None:
    head_machine = jobs(slurm)["ray-head"][1]
    machine = next(
        machine for name, (_, machine) in jobs(slurm).items() if "worker" in name and machine != head_machine
    )
    slurm.kill_machine(slurm.number_of(machine))
    poll("it is missed", lambda: len(alive(person)) < 4, deadline=120)
    poll("Slurm misses it too", lambda: machine not in {place for _, place in jobs(slurm).values()}, deadline=120)
    assert "the machine that it ran on failed" in person.ok("plan", "--workers", "3").stdout
    person.ok("launch", "--workers", "3")
    assert set(alive(person)) == {"head", "worker-0", "worker-1", "worker-2"}
    assert machine not in {place for _, place in jobs(slurm).values()}
    slurm.start_machine(slurm.number_of(machine))


def test_the_job_of_the_head_is_killed(slurm: SlurmMachines, person: Shell) -> None:
    head = head_of(slurm)
    slurm.command("scancel", "--full", "--signal=KILL", head)
    poll("it is gone", lambda: head not in str(jobs(slurm).get("ray-head")), deadline=60)
    refused = person.run("slurm", "run", head, "some.py")
    assert refused.status == 1
    assert "has ended" in refused.stderr
    planned = person.ok("plan").stdout
    assert re.search(rf"create node head: .*\(job {head}\)", planned), "it says how the last one ended"
    person.ok("launch", "--workers", "3")
    assert set(alive(person)) == {"head", "worker-0", "worker-1", "worker-2"}


def test_down_ends_clients_too_and_leaves_nothing(slurm: SlurmMachines, person: Shell) -> None:
    started = person.ok("slurm", "run", head_of(slurm), *SMALL_CLIENT, "--json", "save.py").json()
    output = Path(started["output"])
    poll("the script works", lambda: output.exists() and "WORKS" in output.read_text(), deadline=120)
    person.ok("down")
    poll("no job is left", lambda: not jobs(slurm))
    poll("no process is left", lambda: not processes_in(person.checkout))
    assert "nothing to do" in person.ok("down").stderr
