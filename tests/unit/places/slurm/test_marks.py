"""The mark in a job's comment."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from cai_deploy.places.slurm.marks import KEY, Mark, ours, owner_of, read

MARK = Mark("ray", owner_of("/shared/ray"), "worker-0", "worker", "0123456789abcdef", epoch=7, ticket="abc123")


@dataclass(frozen=True)
class Job:
    name: str
    comment: str


def test_it_comes_back_as_it_went() -> None:
    assert read(MARK.comment(), "ray-worker-0") == MARK
    assert MARK.comment().isascii()
    assert MARK.comment().isprintable()


def test_it_counts_only_on_the_job_of_its_name() -> None:
    assert read(MARK.comment(), "ray-worker-1") is None


def without(field: str) -> str:
    data = json.loads(MARK.comment())
    del data[KEY][field]
    return json.dumps(data)


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "nightly run",
        "{}",
        "[]",
        "null",
        '"cai-deploy"',
        json.dumps({KEY: None}),
        json.dumps({KEY: []}),
        without("owner"),
        without("node"),
        MARK.comment().replace('"epoch":7', '"epoch":"7"'),
        MARK.comment().replace('"epoch":7', '"epoch":true'),
        MARK.comment().replace('"cluster":"ray"', '"cluster":1'),
        MARK.comment()[:-1],
    ],
)
def test_what_others_write_is_no_mark(comment: str) -> None:
    assert read(comment, "ray-worker-0") is None


def test_what_a_later_version_adds_is_left_alone() -> None:
    data = json.loads(MARK.comment())
    data[KEY]["colour"] = "blue"
    assert read(json.dumps(data), "ray-worker-0") == MARK


def test_ours_are_those_of_one_cluster_and_one_directory() -> None:
    jobs = [
        Job("ray-worker-0", MARK.comment()),
        Job("ray-worker-0", ""),
        Job("ray-worker-1", MARK.comment()),
        Job("other-head", Mark("other", MARK.owner, "head", "head", "f").comment()),
        Job("ray-head", Mark("ray", owner_of("/shared/else"), "head", "head", "f").comment()),
    ]
    assert ours(jobs, "ray", MARK.owner) == [(MARK, jobs[0])]


def test_a_directory_is_the_same_owner_however_it_ends() -> None:
    assert owner_of("/shared/ray/") == owner_of("/shared/ray") != owner_of("/shared/ray2")
