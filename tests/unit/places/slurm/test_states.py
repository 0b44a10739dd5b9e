"""Slurm's words for a job and for why it waits, in ours."""

from __future__ import annotations

import itertools
import logging

import pytest

from cai_deploy.places.slurm.states import BASES, ENDS, FLAGS, SAYS_NOTHING, standing, why_waiting
from cai_deploy.state import NodeState

RESOURCES = ("BB", "Billing", "Energy", "GRES", "License", "Unknown")
"""For each of these Slurm has a reason of every kind; CPUs, memory, nodes, jobs and time have names of their own."""


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["PENDING"], NodeState.PENDING),
        (["RUNNING"], NodeState.RUNNING),
        (["RUNNING", "CONFIGURING"], NodeState.STARTING),
        (["CONFIGURING"], NodeState.STARTING),
        (["RUNNING", "SIGNALING"], NodeState.RUNNING),
        (["SIGNALING"], NodeState.RUNNING),
        (["COMPLETED", "UPDATE_DB"], NodeState.STOPPED),
        (["CANCELLED", "COMPLETING"], NodeState.STOPPING),
        (["COMPLETING"], NodeState.STOPPING),
        (["NODE_FAIL", "REQUEUED"], NodeState.PENDING),
        (["PENDING", "LAUNCH_FAILED", "REQUEUE_HOLD"], NodeState.PENDING),
        (["SUSPENDED"], NodeState.PENDING),
        (["TIMEOUT"], NodeState.STOPPED),
        (["PREEMPTED"], NodeState.STOPPED),
        (["OUT_OF_MEMORY"], NodeState.FAILED),
    ],
)
def test_words_alone_and_together(words: list[str], state: NodeState) -> None:
    assert standing(words).state is state
    assert standing(words[::-1]).state is state


@pytest.mark.parametrize("words", [["HOVERING"], [], ["COMPLETED", "HOVERING"], ["FAILED", "HOVERING"]])
def test_what_is_not_known_is_never_an_end(words: list[str]) -> None:
    assert standing(words).state is NodeState.UNKNOWN


def test_a_new_flag_beside_a_job_that_lives_changes_nothing_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert standing(["RUNNING", "GLOWING"]).state is NodeState.RUNNING
        assert standing(["RUNNING", "GLOWING"]).state is NodeState.RUNNING
    assert caplog.text.count("GLOWING") == 1


def test_no_end_has_a_word_in_common_with_what_still_lives() -> None:
    for base, flag in itertools.product(BASES, SAYS_NOTHING):
        assert standing([base, flag]) == standing([base])
    for flag in FLAGS:
        assert standing(["RUNNING", flag]) == FLAGS[flag]
    assert {word for word, told in BASES.items() if told.state in ENDS} == {
        *("COMPLETED", "CANCELLED", "TIMEOUT", "PREEMPTED", "FAILED"),
        *("NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "DEADLINE"),
    }


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        ("Resources", True),
        ("Priority", True),
        ("BeginTime", True),
        ("Dependency", True),
        ("Licenses", True),
        ("ReqNodeNotAvail", True),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-3]", True),
        ("QOSMaxCpuPerUserLimit", True),
        ("QOSMaxJobsPerUserLimit", True),
        ("AssocGrpCpuLimit", True),
        ("AssocGrpCPURunMinutesLimit", True),
        ("AssocMaxJobsLimit", True),
        ("MaxJobsPerAccount", True),
        ("MaxCpuPerAccount", True),
        ("AssocGrpCPUMinutesLimit", False),
        ("QOSMaxWallDurationPerJobLimit", False),
        ("QOSMaxCpuMinutesPerJobLimit", False),
        ("AssocMaxCpuPerJobLimit", False),
        ("QOSMinCpuNotSatisfied", False),
        ("JobHeldUser", False),
        ("PartitionTimeLimit", False),
        ("PartitionConfig", False),
        ("DependencyNeverSatisfied", False),
        ("BadConstraints", False),
        ("InvalidAccount", False),
    ],
)
def test_whether_waiting_helps(reason: str, helps: bool) -> None:
    told = standing(["PENDING"], reason)
    assert (told.state, told.waiting_helps) == (NodeState.PENDING, helps)
    assert not why_waiting(reason).sentence.startswith("Slurm says")
    assert told.sentence.endswith(why_waiting(reason).sentence)


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize(
    ("pattern", "helps"),
    [
        ("AssocGrp{}", True),
        ("AssocGrp{}Minutes", False),
        ("AssocGrp{}RunMinutes", True),
        ("AssocMax{}PerJob", False),
        ("AssocMax{}PerNode", False),
        ("AssocMax{}MinutesPerJob", False),
        ("QOSGrp{}", True),
        ("QOSGrp{}Minutes", False),
        ("QOSGrp{}RunMinutes", True),
        ("QOSMax{}PerJob", False),
        ("QOSMax{}PerNode", False),
        ("QOSMax{}PerUser", True),
        ("QOSMax{}MinutesPerJob", False),
        ("QOSMin{}", False),
        ("Max{}PerAccount", True),
    ],
)
def test_every_limit_on_every_resource(pattern: str, helps: bool, resource: str) -> None:
    told = why_waiting(pattern.format(resource))
    assert told.waiting_helps is helps
    assert not told.sentence.startswith("Slurm says")


def test_a_reason_that_is_not_known_is_quoted_and_waited_for() -> None:
    told = standing(["PENDING"], "MoonPhase")
    assert (told.state, told.waiting_helps) == (NodeState.PENDING, True)
    assert "MoonPhase" in told.sentence
