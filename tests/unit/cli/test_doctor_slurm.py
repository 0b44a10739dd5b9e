"""What ``doctor`` says of a Slurm: which partitions take the jobs, whether the directory will do, that none is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.cli.doctor_slurm import fitting, look_at, look_at_directory
from cai_deploy.errors import DeployError
from cai_deploy.places.slurm.answers import Partition
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.spec import ClusterSpec

PARTITIONS = (
    Partition(name="short", default=True, up=True, time_limit="1:00:00", nodes={}),
    Partition(name="long", default=False, up=True, time_limit="infinite", nodes={}),
    Partition(name="broken", default=False, up=False, time_limit="infinite", nodes={}),
)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({}, "short"),
        ({"time": "1:00:00"}, "short"),
        ({"partition": "long", "time": "30-0"}, "long"),
        ({"partition": "short,long", "time": "2:00:00"}, "long"),
        ({"partition": "broken,long", "time": "UNLIMITED"}, "long"),
    ],
)
def test_partitions_that_take_the_jobs(asked: dict[str, str], fits: str) -> None:
    assert fitting(SlurmOptions.model_validate(asked), PARTITIONS) == fits


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"partition": "nowhere"}, "there is no partition nowhere"),
        ({"partition": "broken"}, "broken is not up"),
        ({"time": "2:00:00"}, "short ends jobs after 1:00:00, and 2:00:00 is asked for"),
        ({"time": "UNLIMITED"}, "short ends jobs after 1:00:00"),
    ],
)
def test_jobs_that_would_never_start(asked: dict[str, str], why: str) -> None:
    with pytest.raises(DeployError) as caught:
        fitting(SlurmOptions.model_validate(asked), PARTITIONS)
    assert str(caught.value).startswith(why)
    assert caught.value.next_step


def test_where_no_partition_is_the_default_one_has_to_be_named() -> None:
    with pytest.raises(DeployError) as caught:
        fitting(SlurmOptions(), PARTITIONS[1:])
    assert "broken, long" in caught.value.next_step


def test_a_directory_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    well, missing = look_at_directory(tmp_path), look_at_directory(tmp_path / "missing")
    assert (well.ok, list(tmp_path.iterdir())) == (True, [])
    assert (missing.ok, "make it" in missing.next_step) == (False, True)


def test_a_machine_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    directory, slurm = look_at(ClusterSpec(place="slurm"), tmp_path, Queue())
    assert directory.name == "directory"
    assert (slurm.ok, slurm.exit_code) == (False, 5)
    assert "login node" in slurm.next_step
