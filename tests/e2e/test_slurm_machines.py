"""The machines that the tests of the Slurm place stand on: each is there, alone in its walls, and can fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.slurm_machines import SlurmMachines, slurm_machines, unavailable
from tests.polling import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.skipif(bool(unavailable()), reason=unavailable())]


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmMachines]:
    with slurm_machines(2) as running:
        yield running


def submit(slurm: SlurmMachines, number: int, command: str) -> int:
    # Not where we stand, which machines may not have.
    argv = ["sbatch", "--parsable", f"--nodelist={slurm.name(number)}", "--no-requeue", f"--chdir={slurm.home}"]
    return int(slurm.command(*argv, f"--output={slurm.home}/{number}.txt", f"--wrap={command}"))


def test_each_machine_is_its_own(slurm: SlurmMachines) -> None:
    for number in (1, 2):
        submit(slurm, number, "hostname; hostname -I; df --output=fstype /tmp /dev/shm; ls /proc | grep -c '^[0-9]'")
    for number in (1, 2):
        told = slurm.home / f"{number}.txt"
        eventually(lambda told=told: told.exists() and len(told.read_text().splitlines()) == 6, seconds=30)
        name, address, _, tmp, shared, processes = told.read_text().split()
        assert (name, address, tmp, shared) == (slurm.name(number), slurm.address(number), "tmpfs", "tmpfs")
        assert int(processes) < 20, "it sees the processes of others"


def test_a_cancelled_job_leaves_no_process(slurm: SlurmMachines) -> None:
    job = submit(slurm, 1, "setsid sleep 1234 & sleep 1235")
    eventually(lambda: len([each for each in slurm.processes(1) if each.startswith("sleep")]) == 2, seconds=30)
    slurm.command("scancel", str(job))
    eventually(lambda: not slurm.processes(1), seconds=30)


def test_a_machine_fails_and_comes_back(slurm: SlurmMachines) -> None:
    submit(slurm, 2, "sleep 1234")
    eventually(lambda: "sleep 1234" in slurm.processes(2), seconds=30)
    slurm.kill_machine(2)
    eventually(lambda: "down" in state(slurm, 2), seconds=90)
    slurm.start_machine(2)
    eventually(lambda: state(slurm, 2) == "idle", seconds=60)
    assert not slurm.processes(2)


def state(slurm: SlurmMachines, number: int) -> str:
    return slurm.command(
        "sinfo", "--noheader", f"--nodes={slurm.name(number)}", "--partition=main", "--format=%T"
    ).strip()
