"""The options of sbatch before a script: read as sbatch would, with what the node has to know taken from them."""

from __future__ import annotations

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm.client_options import ClientShape, gpus_of, read_options
from cai_deploy.slurm_options import Slurm, SlurmOptions

CLUSTER = Slurm(partition="main", account="lab", time="8:00:00", mem="64G", directory="/shared/ray")


def test_nothing_asked_for_is_a_small_node_as_the_cluster_has_its_jobs() -> None:
    read = read_options([])
    assert read.shape == ClientShape(cpu=1, memory_gb=2.0)
    options = read.under(CLUSTER)
    assert (options.partition, options.account, options.time) == ("main", "lab", "8:00:00")
    assert options.mem is None, "the cluster's memory is no client's"
    assert options.requeue is False


@pytest.mark.parametrize(
    "given",
    [
        ["--partition=gpu", "--time=2:00:00", "--cpus-per-task=4", "--mem=16G", "--nodelist=n[1-2]", "--exclusive"],
        ["--partition", "gpu", "--time", "2:00:00", "-c", "4", "--mem", "16G", "-w", "n[1-2]", "--exclusive"],
        ["-pgpu", "-t2:00:00", "-c4", "--mem=16384M", "-wn[1-2]", "--exclusive"],
    ],
)
def test_each_way_to_write_an_option(given: list[str]) -> None:
    read = read_options(given)
    assert read.shape == ClientShape(cpu=4, memory_gb=16.0)
    options = read.under(CLUSTER)
    assert (options.partition, options.time) == ("gpu", "2:00:00")
    assert options.extra == {"nodelist": "n[1-2]", "exclusive": True}


@pytest.mark.parametrize(("mem", "gigabytes"), [("512", 0.5), ("2048K", 2 / 1024), ("4gb", 4.0), ("1T", 1024.0)])
def test_memory_in_slurms_units(mem: str, gigabytes: float) -> None:
    assert read_options([f"--mem={mem}"]).shape.memory_gb == gigabytes


@pytest.mark.parametrize(
    ("gres", "count"), [("gpu:2", 2), ("gpu:a100:3", 3), ("gpu", 1), ("gpu:a100", 1), ("shard:4,gpu:1", 1), ("fpga", 0)]
)
def test_gpus_are_counted(gres: str, count: int) -> None:
    assert gpus_of(read_options([f"--gres={gres}"]).under(SlurmOptions())) == count


def test_gpus_by_their_own_option_and_those_of_the_cluster() -> None:
    assert read_options(["--gpus=a100:2"]).under(SlurmOptions()).gres == "gpu:a100:2"
    assert gpus_of(read_options([]).under(SlurmOptions(gres="gpu:1"))) == 1


def test_the_warning_is_the_signal() -> None:
    assert read_options(["--signal=B:USR1@90", "--time=10"]).under(SlurmOptions()).warning == 90
    assert read_options(["--signal=SIGUSR1@30"]).under(SlurmOptions()).warning == 30
    with pytest.raises(ConfigError, match="USR2"):
        read_options(["--signal=USR2@30"])


def test_a_short_job_is_warned_within_its_time() -> None:
    assert read_options(["--time=1"]).under(SlurmOptions()).warning == 30
    assert read_options(["--time=1", "--signal=USR1@50"]).under(SlurmOptions()).warning == 50
    assert read_options(["--time=60"]).under(SlurmOptions()).warning == 120


def test_starting_anew_and_variables_are_asked_for() -> None:
    options = read_options(["--requeue", "--export=WANDB_MODE,SEED"]).under(SlurmOptions())
    assert options.requeue
    assert options.export == ("WANDB_MODE", "SEED")
    assert read_options(["--no-requeue", "--export=ALL"]).under(SlurmOptions()).export == "all"


@pytest.mark.parametrize("ours", ["--job-name=x", "-Jx", "--output=o", "-N2", "--array=0-3", "--wait", "--comment=c"])
def test_what_we_need_ourselves_is_refused(ours: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_options([ours]).under(SlurmOptions())
    assert "cai_deploy's" in refused.value.why


@pytest.mark.parametrize("wrong", ["-Z", "stray", "-", "--", "--cpus-per-task=0", "--cpus-per-task", "--mem=lots"])
def test_what_is_no_option(wrong: str) -> None:
    with pytest.raises(ConfigError):
        read_options([wrong])


def test_a_time_that_is_none_is_told_of() -> None:
    with pytest.raises(ConfigError) as refused:
        read_options(["--time=soon"]).under(SlurmOptions())
    assert "time" in refused.value.what
    assert "minutes" in refused.value.why
