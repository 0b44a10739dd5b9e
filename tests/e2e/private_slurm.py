"""A Slurm of one's own: a controller and one machine of four CPUs, on loopback, in a directory that goes away."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.free_ports import free_port
from tests.polling import eventually

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")

CONFIGURATION = """\
ClusterName=private
SlurmctldHost={controller}
SlurmctldPort={controller_port}
SlurmdPort={machine_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket
CredType=cred/munge
StateSaveLocation={home}/controller
SlurmdSpoolDir={home}/machine/%n
SlurmctldPidFile={home}/controller.pid
SlurmdPidFile={home}/machine.%n.pid
ProctrackType={tracking}
TaskPlugin={tasks}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0
PropagateResourceLimits=NONE
MpiDefault=none
ReturnToService=2
KillWait={patience}
MinJobAge=600
MailProg=/bin/true
SlurmctldTimeout=10
SlurmdTimeout=10
TCPTimeout=2
{machines}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE LLN=YES State=UP
PartitionName=short Nodes=ALL MaxTime=00:10:00 State=UP
PartitionName=shut Nodes=ALL State=DOWN
"""


def missing() -> list[str]:
    """The programs that it needs and that are not here. Daemons live where an ordinary PATH does not look."""
    return [program for program in PROGRAMS if not _find(program)]


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class PrivateSlurm:
    """Started by :func:`private_slurm`. ``home`` is seen by its machine, so it is the shared file system too."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configuration = home / "slurm.conf"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environ(self) -> dict[str, str]:
        """With which Slurm's commands reach it."""
        return {**os.environ, "SLURM_CONF": str(self.configuration)}

    def command(self, *argv: str) -> str:
        """Run one of Slurm's commands."""
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def start(self) -> None:
        """Ready when its machine takes jobs."""
        text = CONFIGURATION.format(home=self.home, user=getpass.getuser(), **self._setup())
        self.configuration.write_text(text, encoding="utf-8")
        self._start_munge()
        (self.home / "controller").mkdir()
        self.start_controller()
        self._start_machines()
        eventually(self._takes_jobs, seconds=60)

    def _setup(self) -> dict[str, object]:
        """What differs from one such Slurm to the next."""
        return {
            "controller": "localhost(127.0.0.1)",
            "controller_port": free_port(),
            "machine_port": free_port(),
            "tracking": "proctrack/linuxproc",
            "tasks": "task/none",
            "patience": 2,
            "machines": "NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 State=UNKNOWN",
        }

    def _start_machines(self) -> None:
        (self.home / "machine" / "n1").mkdir(parents=True)
        self._spawn("slurmd", self._find("slurmd"), "-D", "-N", "n1")

    def _start_munge(self) -> None:
        munge = self.home / "munge"
        munge.mkdir()
        munge.chmod(0o711)
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={munge / file}" for option, file in files.items()]
        self._spawn("munged", self._find("munged"), "--foreground", *options)
        eventually((munge / "socket").exists)

    def start_controller(self) -> None:
        """Start the controller, which goes on from where it was."""
        self._spawn("slurmctld", self._find("slurmctld"), "-D", "-i")

    def stop_controller(self) -> None:
        """As when its machine is switched off for a while."""
        self._end(self._running.pop("slurmctld"))

    def stop(self) -> None:
        """End its jobs, then its programs, each by its process."""
        with contextlib.suppress(subprocess.SubprocessError):
            if jobs := self.command("squeue", "--noheader", "--format=%A").split():
                self.command("scancel", *jobs)
                eventually(lambda: not self.command("squeue", "--noheader").strip(), seconds=30)
        for process in reversed(self._running.values()):
            self._end(process)

    def told(self) -> str:
        """What its programs have written, for a failure."""
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in sorted(self.home.glob("*.out")))

    def _takes_jobs(self) -> bool:
        try:
            states = self.command("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T").split()
        except subprocess.CalledProcessError:
            return False
        return bool(states) and set(states) == {"idle"}

    @staticmethod
    def _find(program: str) -> str:
        return _find(program) or program

    def _spawn(self, name: str, *argv: str) -> None:
        with (self.home / f"{name}.out").open("ab") as output:
            self._running[name] = subprocess.Popen(
                argv,
                cwd=self.home,  # which its machines see, wherever we stand
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def private_slurm() -> Iterator[PrivateSlurm]:
    """One that runs. Its directory is not pytest's own, which is closed to others: munge refuses to work below such."""
    home = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    home.chmod(0o711)
    slurm = PrivateSlurm(home)
    try:
        try:
            slurm.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{slurm.told()}") from error
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(home, ignore_errors=True)
