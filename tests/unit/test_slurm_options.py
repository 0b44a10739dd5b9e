"""What a specification may ask of Slurm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cai_deploy.slurm_options import OURS, Slurm, SlurmIdle, SlurmOptions, seconds_of


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("30", 1800),
        ("30:15", 1815),
        ("4:00:00", 14400),
        ("2-0", 172800),
        ("2-12", 216000),
        ("1-00:30", 88200),
        ("1-02:03:04", 93784),
        ("UNLIMITED", None),
        ("infinite", None),
    ],
)
def test_times_in_slurms_notation(time: str, seconds: int | None) -> None:
    assert seconds_of(time) == seconds
    assert SlurmOptions(time=time).time == time


@pytest.mark.parametrize("time", ["", "soon", "1:2:3:4", "1d", "-5", "4:00:00\n"])
def test_what_is_no_time(time: str) -> None:
    with pytest.raises(ValidationError):
        SlurmOptions(time=time)


def test_a_time_that_yaml_took_for_a_number_is_refused_and_says_so() -> None:
    with pytest.raises(ValidationError, match="quotes"):
        SlurmOptions.model_validate(yaml.safe_load("time: 4:00:00"))
    assert SlurmOptions.model_validate(yaml.safe_load("time: '4:00:00'")).time == "4:00:00"


@pytest.mark.parametrize("name", [*sorted(OURS), "job-nam", "comm", "partition", "time", "requeue", "no-requeue"])
def test_what_is_ours_or_has_a_key_is_no_extra_option(name: str) -> None:
    with pytest.raises(ValidationError, match="extra"):
        SlurmOptions(extra={name: "x"})


@pytest.mark.parametrize(
    "extra",
    [
        {"--mail-user": "a"},
        {"Mail": "a"},
        {"mail user": "a"},
        {"mail-user": "a\n#SBATCH --uid=0"},
        {"exclusive": False},
        {"mail-user": ""},
    ],
)
def test_what_is_no_option(extra: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SlurmOptions(extra=extra)


def test_a_value_with_a_line_break_cannot_smuggle_an_option_in() -> None:
    with pytest.raises(ValidationError):
        SlurmOptions(partition="main\n#SBATCH --uid=0")


def test_a_warning_that_would_come_at_once_is_refused() -> None:
    with pytest.raises(ValidationError, match="warning"):
        SlurmOptions(time="2", warning=120)
    assert SlurmOptions(time="2", warning=30).warning == 30


def test_a_groups_own_options_count_for_more() -> None:
    cluster = SlurmOptions(partition="cpu", time="1:00:00", account="lab", extra={"nice": 5, "exclusive": True})
    group = SlurmOptions(partition="gpu", requeue=False, extra={"nice": 10})
    merged = cluster.under(group)
    assert (merged.partition, merged.time, merged.account, merged.requeue) == ("gpu", "1:00:00", "lab", False)
    assert merged.extra == {"nice": 10, "exclusive": True}
    assert cluster.under(None) == cluster


def test_options_that_are_right_alone_are_looked_at_together() -> None:
    with pytest.raises(ValidationError, match="warning"):
        SlurmOptions(warning=600).under(SlurmOptions(time="5"))


def test_what_concerns_the_whole_cluster_is_no_option_of_a_job() -> None:
    cluster = Slurm(partition="a", directory="~/project", handover=True, idle=SlurmIdle(), ports_first=21000)
    for own in (None, SlurmOptions(time="30")):
        options = cluster.under(own)
        assert type(options) is SlurmOptions
        assert options.partition == "a"
