"""What ``doctor`` looks at where nodes are batch jobs: Slurm itself, the partitions asked for, the directory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from cai_deploy.cli.checks import Check
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.node.file_system import why_unfit
from cai_deploy.places.slurm.answers import Partition
from cai_deploy.places.slurm.errors import InvalidPartition, NoSlurm
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.slurm_options import SlurmOptions, seconds_of
from cai_deploy.spec import ClusterSpec

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")


def look_at(spec: ClusterSpec, directory: Path, queue: Queue) -> Iterator[Check]:
    """Whether the cluster's jobs can be submitted from here, and its files be kept in ``directory``."""
    yield look_at_directory(directory)
    try:
        for command in COMMANDS:
            if not shutil.which(command):
                raise NoSlurm(command)
        settings, partitions = queue.settings(), queue.partitions()
    except DeployError as error:
        yield Check.failed("slurm", error)
        return
    version, cluster = settings.get("SLURM_VERSION", "of no version"), settings.get("ClusterName", "without a name")
    yield Check("slurm", f"{version}, cluster {cluster} answers")
    for group in spec.groups:
        name = f"partition of {group.name}"
        try:
            yield Check(name, fitting(spec.slurm.under(group.slurm), partitions))
        except DeployError as error:
            yield Check.failed(name, error)


def fitting(asked: SlurmOptions, partitions: Iterable[Partition]) -> str:
    """The partitions that take jobs as they are asked for. Raises DeployError when none does."""
    there = {partition.name: partition for partition in partitions}
    default = ",".join(partition.name for partition in there.values() if partition.default)
    names = (asked.partition or default).split(",")
    if names == [""]:
        raise ConfigError(
            "none is asked for, and none is the default", next_step=f"set slurm.partition: {', '.join(sorted(there))}"
        )
    for name in names:
        if name not in there:
            raise InvalidPartition(name, there.keys(), "sinfo does not show it")
    reasons = {name: why_not(asked, there[name]) for name in names}
    fits = [name for name, reason in reasons.items() if not reason]
    if not fits:
        told = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
        raise DeployError(told, next_step="choose another partition or a shorter time, or ask the administrators")
    return ", ".join(fits)


def why_not(asked: SlurmOptions, partition: Partition) -> str:
    """What keeps a job of this kind from ever starting there, "" for nothing."""
    if not partition.up:
        return "is not up"
    limit = seconds_of(partition.time_limit)
    wanted = seconds_of(asked.time) if asked.time else 0
    if limit is not None and (wanted is None or wanted > limit):
        return f"ends jobs after {partition.time_limit}, and {asked.time} is asked for"
    return ""


def look_at_directory(directory: Path) -> Check:
    """Whether the head can keep its state there. That other machines see it can only be seen there."""
    if not directory.is_dir():
        missing = DeployError(f"{directory} is no directory", next_step="make it, or set slurm.directory to another")
        return Check.failed("directory", missing)
    if why := why_unfit(directory):
        unfit = DeployError(f"{directory} is not fit for a head's state: {why}", next_step="set slurm.directory")
        return Check.failed("directory", unfit)
    return Check("directory", f"{directory} can be written, locks exclude and renames replace; machines must share it")
