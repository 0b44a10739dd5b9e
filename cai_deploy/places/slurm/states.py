"""The one table from Slurm's words for a job, and for why it waits, to ours, each with a sentence for people. Pure.

A job has one base state and any number of flags. Older versions tell one word of all of these (a flag hides the base),
newer ones a list. A word that is not here is ``unknown`` and never an end; a flag that is not here changes nothing,
except that an end is not believed beside it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from cai_deploy.state import NodeState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How a job stands. ``waiting_helps`` is whether time alone may change that for the better."""

    state: NodeState
    sentence: str
    waiting_helps: bool = False


ENDS = (NodeState.STOPPED, NodeState.FAILED)

BASES = {
    "PENDING": Standing(NodeState.PENDING, "it waits in the queue", waiting_helps=True),
    "RUNNING": Standing(NodeState.RUNNING, "it runs"),
    "SUSPENDED": Standing(NodeState.PENDING, "it is suspended, and goes on when Slurm resumes it", waiting_helps=True),
    "COMPLETED": Standing(NodeState.STOPPED, "it ended by itself, without an error"),
    "CANCELLED": Standing(NodeState.STOPPED, "it was cancelled"),
    "TIMEOUT": Standing(NodeState.STOPPED, "its time limit ended it"),
    "PREEMPTED": Standing(NodeState.STOPPED, "a job of a higher rank took its place"),
    "FAILED": Standing(NodeState.FAILED, "it ended with an error"),
    "NODE_FAIL": Standing(NodeState.FAILED, "the machine that it ran on failed"),
    "BOOT_FAIL": Standing(NodeState.FAILED, "the machine that it was to run on did not boot"),
    "OUT_OF_MEMORY": Standing(NodeState.FAILED, "it took more memory than it had asked for"),
    "DEADLINE": Standing(NodeState.FAILED, "it could not have ended before its deadline"),
}

FLAGS = {
    "COMPLETING": Standing(NodeState.STOPPING, "it is ending, and its machine is being cleaned", waiting_helps=True),
    "REQUEUE_HOLD": Standing(NodeState.PENDING, "it was put back into the queue and is held there"),
    "SPECIAL_EXIT": Standing(NodeState.PENDING, "it is held in the queue after a special exit"),
    "RESV_DEL_HOLD": Standing(NodeState.PENDING, "it is held, as its reservation was deleted"),
    "REQUEUED": Standing(NodeState.PENDING, "it was put back into the queue", waiting_helps=True),
    "REQUEUE_FED": Standing(NodeState.PENDING, "it was put back into a federation's queue", waiting_helps=True),
    "REVOKED": Standing(NodeState.STOPPED, "another cluster of the federation runs it"),
    "LAUNCH_FAILED": Standing(NodeState.FAILED, "it could not be started on its machine"),
    "RECONFIG_FAIL": Standing(NodeState.FAILED, "its machine could not be set up for it"),
    "POWER_UP_NODE": Standing(NodeState.STARTING, "its machine is being switched on", waiting_helps=True),
    "CONFIGURING": Standing(NodeState.STARTING, "its machine is being made ready", waiting_helps=True),
    "STAGE_OUT": Standing(NodeState.STOPPING, "it has ended, and its files are being copied away", waiting_helps=True),
    "STOPPED": Standing(NodeState.PENDING, "it is stopped by a signal, and holds its machine"),
}
"""In the order in which they count. Each counts for more than any base."""

SAYS_NOTHING = ("SIGNALING", "RESIZING", "UPDATE_DB")
"""Flags of what Slurm does meanwhile: the job stands as it stood. RUNNING when an older version tells only them."""


@dataclass(frozen=True)
class Reason:
    """Why a job waits."""

    sentence: str
    waiting_helps: bool


ASK_FOR_LESS = "ask for less, or for another QOS or account"

REASONS = {
    "None": Reason("Slurm has not looked at it yet", True),
    "Resources": Reason("what it asks for is in use", True),
    "Priority": Reason("jobs of a higher priority come first", True),
    "BeginTime": Reason("it is not to begin yet; a job that was put back into the queue waits two minutes so", True),
    "Cleaning": Reason("its last run is still being cleaned up", True),
    "Dependency": Reason("it waits for another job", True),
    "DependencyNeverSatisfied": Reason("the job that it waits for can never be as it must: cancel it", False),
    "JobHeldUser": Reason("its user holds it: `scontrol release` lets it go", False),
    "JobHeldAdmin": Reason("an administrator holds it: ask them", False),
    "JobHoldMaxRequeue": Reason("it failed to start too often and is held: see its log", False),
    "JobArrayTaskLimit": Reason("as many of its array run as may at once", True),
    "JobLaunchFailure": Reason("it could not be started: a file system, or the path of a program", False),
    "launch_failed_requeued_held": Reason("it could not be started, and is held; then `scontrol release`", False),
    "Licenses": Reason("the licences that it needs are in use", True),
    "ReqNodeNotAvail": Reason("a machine that it names is down, drained or reserved, perhaps for maintenance", True),
    "NodeDown": Reason("a machine that it needs is down", True),
    "Reservation": Reason("its reservation has not begun", True),
    "ReservationDeleted": Reason("its reservation is no more: name another, or none", False),
    "PartitionDown": Reason("its partition takes jobs but starts none now: choose another, or wait for the site", True),
    "PartitionInactive": Reason("its partition is closed: choose another", False),
    "PartitionTimeLimit": Reason("its time is over the partition's limit: ask for less, or another partition", False),
    "PartitionNodeLimit": Reason("it asks for more machines than its partition gives, or those are down", False),
    "PartitionConfig": Reason("its partition can never give what it asks for: ask for less, or another one", False),
    "BadConstraints": Reason("no machine has what it asks for: see its constraint, memory and GPUs", False),
    "Constraints": Reason("no machine with what it asks for is free", True),
    "FrontEndDown": Reason("no front end is up", True),
    "AccountingPolicy": Reason(f"a limit of its account or QOS: {ASK_FOR_LESS}", False),
    "AccountNotAllowed": Reason("its account may not use its partition: choose another", False),
    "InvalidAccount": Reason("there is no such account, or it is not its user's", False),
    "InvalidQOS": Reason("there is no such QOS", False),
    "QOSNotAllowed": Reason("its account or partition may not use its QOS: choose another", False),
    "QOSUsageThreshold": Reason("its QOS has been used too much", True),
    "QOSJobLimit": Reason("its QOS runs as many jobs as it may", True),
    "QOSResourceLimit": Reason("its QOS uses as much as it may", True),
    "QOSTimeLimit": Reason("its QOS has no time left", False),
    "AssociationJobLimit": Reason("its account runs as many jobs as it may", True),
    "AssociationResourceLimit": Reason("its account uses as much as it may", True),
    "AssociationTimeLimit": Reason("its account has no time left", False),
    "MaxMemPerLimit": Reason("it asks for more memory than a machine or CPU may give: ask for less", False),
    "BurstBufferOperation": Reason("its burst buffer failed", False),
    "BurstBufferResources": Reason("the burst buffers are in use", True),
    "BurstBufferStageIn": Reason("its files are being copied to it", True),
    "DeadLine": Reason("it cannot end before its deadline", False),
    "FedJobLock": Reason("the clusters of the federation agree on who runs it", True),
    "Prolog": Reason("the site's own preparation runs", True),
    "SchedDefer": Reason("Slurm starts nothing at once here", True),
    "InactiveLimit": Reason("it was inactive for too long", False),
    "NonZeroExitCode": Reason("it ended with an error", False),
    "OutOfMemory": Reason("it took more memory than it had asked for", False),
    "RaisedSignal": Reason("a signal ended it", False),
    "SystemFailure": Reason("Slurm, a file system or the network failed", False),
    "TimeLimit": Reason("its time limit ended it", False),
}

FAMILIES = (
    ("*Grp*RunMinutes*", Reason("the running jobs of its account or QOS take all the time that they may", True)),
    ("*Grp*Minutes*", Reason("the time that its account or QOS was given is used up: use another", False)),
    ("QOSGrp*", Reason("the jobs of its QOS use as much as they may together", True)),
    ("AssocGrp*", Reason("the jobs of its account use as much as they may together", True)),
    ("*Max*PerUser*", Reason("its user's jobs use as much as they may in this QOS", True)),
    ("*MaxJobs*", Reason("as many jobs run as may at once", True)),
    ("*MaxSubmitJob*", Reason("as many jobs are in the queue as may be", True)),
    ("Max*PerAccount", Reason("the jobs of its account use as much as they may in this QOS", True)),
    ("*Max*Per*", Reason(f"it asks for more than one job may have: {ASK_FOR_LESS}", False)),
    ("QOSMin*", Reason("it asks for less than its QOS gives at least: ask for more, or another QOS", False)),
)
"""Limits, of which there is one for each kind of resource: the first pattern that fits counts."""


def standing(words: Sequence[str], reason: str = "") -> Standing:
    """How a job stands of which Slurm tells these state ``words``, and this ``reason`` for waiting."""
    unknown = [word for word in words if word not in BASES and word not in FLAGS and word not in SAYS_NOTHING]
    for word in unknown:
        _tell_once("state", word)
    found = next((told for flag, told in FLAGS.items() if flag in words), None)
    found = found or next((told for base, told in BASES.items() if base in words), None)
    if found is None and words and not unknown:
        found = BASES["RUNNING"]
    if found is None or (unknown and found.state in ENDS):
        told = ", ".join(words) or "nothing"
        return Standing(NodeState.UNKNOWN, f"Slurm says {told} of it, which this version does not know", True)
    if found is BASES["PENDING"] and reason:
        why = why_waiting(reason)
        return Standing(NodeState.PENDING, f"{found.sentence}: {why.sentence}", why.waiting_helps)
    return found


def why_waiting(reason: str) -> Reason:
    """What ``reason`` means; newer versions write more behind the word, which is left out."""
    word = (re.match(r"\w*", reason) or [""])[0]
    exact = REASONS.get(word)
    if exact:
        return exact
    family = next((meaning for pattern, meaning in FAMILIES if fnmatchcase(word, pattern)), None)
    if family:
        return family
    _tell_once("reason", word)
    return Reason(f"Slurm says {reason}", True)


@cache
def _tell_once(kind: str, word: str) -> None:
    log.warning("Slurm tells a job's %s as %r, a word that this version does not know", kind, word)
