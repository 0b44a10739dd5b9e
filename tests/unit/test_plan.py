"""The rules of change as a table: wanted + observed -> exact steps and reasons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from cai_deploy.plan import NameTaken, plan
from cai_deploy.state import (
    Ground,
    GroundState,
    Node,
    NodeState,
    Observation,
    Rollout,
    Wanted,
    WantedGround,
    WantedNode,
)

PROJECT = WantedGround("project", "ray", "", {"body": "project"})
ENVIRONMENT = WantedGround("environment", "ray-1", "ray-1", {"body": "environment"})
RECORD = WantedGround("record", "converged.json", "new", {"body": "record"})
UNWANTED = WantedGround("watchdog", "ray", "", {"body": "watchdog"}, gone=True)
LAUNCHER = WantedGround("launcher", "head.py", "new", {"body": "launcher"})


def want(*names: str, fingerprint: str = "f1", **facts: object) -> tuple[WantedNode, ...]:
    return tuple(
        WantedNode(
            name,
            "head" if name == "head" else "worker",
            name.partition("-")[0],
            fingerprint,
            {"body": f"create {name}"},
            {"body": f"update {name}"},
            {"body": f"touch {name}"},
            {name.replace("env_", "env."): value for name, value in facts.items()},
            frozenset({"description"}),
        )
        for name in names
    )


def have(
    name: str,
    state: NodeState = NodeState.RUNNING,
    ray_state: str = "ALIVE",
    *,
    fingerprint: str = "f1",
    **facts: object,
) -> Node:
    role = "head" if name == "head" else "worker"
    shown = {name.replace("env_", "env."): value for name, value in facts.items()}
    return Node(name, role, name.partition("-")[0], state, f"id-{name}", fingerprint, "10.0.0.1", ray_state, shown)


@dataclass
class Row:
    name: str
    wanted: Wanted
    seen: Observation
    steps: list[str]
    waited: dict[str, float] = field(default_factory=dict)
    due: list[str] | None = None


LONG = 10_000.0
DRAIN = {"body": "drain"}


def workers(number: int) -> list[str]:
    return [f"worker-{each}" for each in range(number)]


def group(number: int, *, unavailable: int = 1, surge: int = 0, **settings: object) -> Wanted:
    """A head and workers that are to have ``settings``; the head is as it should be."""
    names = workers(number + surge)
    return Wanted(
        (),
        (*want("head"), *want(*names[:number], **settings)),
        want(*names[number:], **settings),
        {"worker": Rollout(unavailable, surge)},
    )


def up(*names: str, drain: bool = True, **facts: object) -> tuple[Node, ...]:
    """A head, and workers that are up and can be drained."""
    return (have("head"), *(replace(have(name, **facts), drain=DRAIN if drain else None) for name in names))


def changed(node: Node, **changes: object) -> Node:
    return replace(node, **changes)


ROWS = [
    Row("nothing wanted, nothing there", Wanted(), Observation(), []),
    Row(
        "from nothing: everything, project first",
        Wanted((PROJECT, ENVIRONMENT, LAUNCHER), want("head", "worker-0")),
        Observation(),
        [
            "create project ray: does not exist",
            "create environment ray-1: does not exist",
            "create launcher head.py: does not exist",
            "create node head: does not exist",
            "create node worker-0: does not exist",
        ],
        due=["project ray"],
    ),
    Row(
        "a node that ended is made anew, for the reason for which it ended",
        Wanted((), want("head", "worker-0", "worker-1")),
        Observation(nodes=(have("head"),), ends={"worker-0": "its time limit ended it (job 17)", "worker-9": "x"}),
        [
            "create node worker-0: its time limit ended it (job 17)",
            "create node worker-1: does not exist",
        ],
    ),
    Row(
        "how a node ended does not matter once there is another",
        Wanted((), want("head")),
        Observation(nodes=(have("head"),), ends={"head": "its time limit ended it (job 17)"}),
        [],
    ),
    Row(
        "what a place knows of a node that waits, starts, stopped or failed is told",
        Wanted((), want("head", *workers(5))),
        Observation(
            nodes=(
                have("head"),
                changed(have("worker-0", NodeState.PENDING, ""), reason="what it asks for is in use"),
                changed(have("worker-1", NodeState.STARTING, ""), reason="its machine is being switched on"),
                changed(have("worker-2", NodeState.FAILED, ""), reason="no partition has so much memory"),
                changed(have("worker-3", NodeState.STOPPED, ""), reason="it is held"),
                changed(have("worker-4", NodeState.RUNNING, ""), reason="never mind"),
            )
        ),
        [
            "wait node worker-0: is pending: what it asks for is in use",
            "wait node worker-1: is starting: its machine is being switched on",
            "restart node worker-2: has failed: no partition has so much memory",
            "restart node worker-3: is stopped: it is held",
            "wait node worker-4: runs, but Ray does not list it",
        ],
    ),
    Row(
        "the clone is under way: nothing else is due",
        Wanted((PROJECT, ENVIRONMENT), want("head")),
        Observation((Ground("project", "ray", GroundState.IN_PROGRESS, reason="is being cloned"),)),
        [
            "wait project ray: is being cloned",
            "create environment ray-1: does not exist",
            "create node head: does not exist",
        ],
        due=[],
    ),
    Row(
        "the project stands: its environment is due",
        Wanted((PROJECT, ENVIRONMENT), want("head")),
        Observation((Ground("project", "ray", GroundState.READY),)),
        ["create environment ray-1: does not exist", "create node head: does not exist"],
        due=["environment ray-1"],
    ),
    Row(
        "a failed build is tried again, with what went wrong",
        Wanted((ENVIRONMENT,)),
        Observation((Ground("environment", "ray-1", GroundState.FAILED, reason="its job ended as ENGINE_FAILED"),)),
        ["create environment ray-1: the last attempt failed: its job ended as ENGINE_FAILED"],
    ),
    Row(
        "a launcher with other content is uploaded again",
        Wanted((LAUNCHER,)),
        Observation((Ground("launcher", "head.py", GroundState.READY, "old"),)),
        ["update launcher head.py: differs from what is wanted"],
    ),
    Row(
        "a launcher with the same content is left alone",
        Wanted((LAUNCHER,)),
        Observation((Ground("launcher", "head.py", GroundState.READY, "new"),)),
        [],
    ),
    Row(
        "workers are created together with the head, not after it",
        Wanted((), want("head", "worker-0", "worker-1")),
        Observation(),
        [
            "create node head: does not exist",
            "create node worker-0: does not exist",
            "create node worker-1: does not exist",
        ],
        due=["node head", "node worker-0", "node worker-1"],
    ),
    Row(
        "a starting head does not keep a missing worker waiting",
        Wanted((), want("head", "worker-0")),
        Observation(nodes=(have("head", NodeState.STARTING, ""),)),
        ["wait node head: is starting", "create node worker-0: does not exist"],
        due=["node worker-0"],
    ),
    Row(
        "all ALIVE: converged",
        Wanted((), want("head", "worker-0")),
        Observation(nodes=(have("head"), have("worker-0"))),
        [],
    ),
    Row(
        "running is not ready until Ray lists the node",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", ray_state=""),)),
        ["wait node worker-0: runs, but Ray does not list it"],
    ),
    Row(
        "a node that Ray calls DEAD is not ready",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", ray_state="DEAD"),)),
        ["wait node worker-0: runs, but Ray calls it DEAD"],
    ),
    Row(
        "a worker that dropped silently is restarted once it is overdue",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", ray_state=""),)),
        ["restart node worker-0: runs, but Ray does not list it for too long"],
        waited={"worker-0": LONG},
    ),
    Row(
        "a node that is overdue because the workspace has not started it yet is not restarted",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", NodeState.STARTING, ""),)),
        ["wait node worker-0: is starting"],
        waited={"worker-0": LONG},
    ),
    Row(
        "an overdue node that has become ready is left alone",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0"),)),
        [],
        waited={"worker-0": LONG},
    ),
    Row(
        "a failed node is restarted, not created again",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", NodeState.FAILED, ""),)),
        ["restart node worker-0: has failed"],
    ),
    Row(
        "a node that somebody stopped is started again",
        Wanted((), want("head")),
        Observation(nodes=(have("head", NodeState.STOPPED, ""),)),
        ["restart node head: is stopped"],
    ),
    Row(
        "a stopping node is waited for, whatever else is true of it",
        Wanted((), want("worker-0", fingerprint="f2")),
        Observation(nodes=(have("worker-0", NodeState.STOPPING),)),
        ["wait node worker-0: is stopping"],
    ),
    Row(
        "an unknown state is never taken for an end",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", NodeState.UNKNOWN, ""),)),
        ["wait node worker-0: is unknown"],
    ),
    Row(
        "changed settings restart the worker, and say what changed",
        Wanted((), want("worker-0", fingerprint="f2", cpu=4.0, memory_gb=8.0)),
        Observation(nodes=(have("worker-0", cpu=2.0, memory_gb=8.0),)),
        ["restart node worker-0: cpu: 2.0 -> 4.0"],
    ),
    Row(
        "a change that no setting shows is one of the launcher or the environment",
        Wanted((), want("worker-0", fingerprint="f2", cpu=2.0)),
        Observation(nodes=(have("worker-0", cpu=2.0),)),
        ["restart node worker-0: what it is made from changed"],
    ),
    Row(
        "changing the head is said loudly",
        Wanted((), want("head", cpu=4.0)),
        Observation(nodes=(have("head", cpu=2.0),)),
        ["restart node head: cpu: 2.0 -> 4.0 (restarts the head: every worker has to rejoin)"],
    ),
    Row(
        "a new launcher for the head is said as loudly",
        Wanted((), want("head", fingerprint="f2")),
        Observation(nodes=(have("head"),)),
        ["restart node head: what it is made from changed (restarts the head: every worker has to rejoin)"],
    ),
    Row(
        "drift: somebody changed a setting by hand, though our mark is unchanged",
        Wanted((), want("worker-0", public=False, cpu=2.0)),
        Observation(nodes=(have("worker-0", public=True, cpu=2.0),)),
        ["restart node worker-0: public: True -> False"],
    ),
    Row(
        "drift that reaches no pod is taken back in place",
        Wanted((), want("head", description="ours")),
        Observation(nodes=(have("head", description="edited"),)),
        ["update node head: description: edited -> ours"],
    ),
    Row(
        "a variable is named and its value is not",
        Wanted((), want("worker-0", env_TOKEN="new")),
        Observation(nodes=(have("worker-0", env_TOKEN="old"),)),
        ["restart node worker-0: env.TOKEN differs"],
    ),
    Row(
        "what the platform adds is not looked at",
        Wanted((), want("worker-0", cpu=2.0)),
        Observation(nodes=(have("worker-0", cpu=2.0, env_CML_USER_PW="x", editor="y"),)),
        [],
    ),
    Row(
        "a failed node with old settings is changed and restarted in one step",
        Wanted((), want("worker-0", fingerprint="f2", cpu=4.0)),
        Observation(nodes=(have("worker-0", NodeState.FAILED, "", cpu=2.0),)),
        ["restart node worker-0: cpu: 2.0 -> 4.0"],
    ),
    Row(
        "a failed node whose description drifted is restarted first",
        Wanted((), want("worker-0", description="ours")),
        Observation(nodes=(have("worker-0", NodeState.FAILED, "", description="edited"),)),
        ["restart node worker-0: has failed"],
    ),
    Row(
        "scaling out adds one and touches nothing else",
        Wanted((), want("head", "worker-0", "worker-1")),
        Observation(nodes=(have("head"), have("worker-0"))),
        ["create node worker-1: does not exist"],
    ),
    Row(
        "scaling in removes the surplus and touches nothing else",
        Wanted((), want("head", "worker-0")),
        Observation(nodes=(have("head"), have("worker-0"), have("worker-1"))),
        ["stop node worker-1: is no longer wanted"],
    ),
    Row(
        "down: workers first, the head after them",
        Wanted(),
        Observation(nodes=(have("head"), have("worker-0"))),
        ["stop node worker-0: is no longer wanted", "stop node head: is no longer wanted"],
        due=["node worker-0"],
    ),
    Row(
        "down waits for workers that are stopping before it takes the head",
        Wanted(),
        Observation(nodes=(have("head"), have("worker-0", NodeState.STOPPING))),
        ["wait node worker-0: is stopping", "stop node head: is no longer wanted"],
        due=[],
    ),
    Row(
        "a failed node that nobody wants goes too",
        Wanted(),
        Observation(nodes=(have("worker-0", NodeState.FAILED, ""),)),
        ["stop node worker-0: is no longer wanted"],
    ),
    Row(
        "a stranger whose name we don't need is none of our business",
        Wanted((), want("head")),
        Observation(nodes=(have("head"),), strangers=frozenset({"worker-7"})),
        [],
    ),
    # What is changed, and how many at a time
    Row(
        "a worker that is up is drained before it is restarted",
        group(1, cpu=4),
        Observation(nodes=up("worker-0", cpu=2)),
        ["drain node worker-0: before its restart", "restart node worker-0: cpu: 2 -> 4"],
        due=["node worker-0"],
    ),
    Row(
        "where Ray cannot be asked, it is restarted as it is",
        group(1, cpu=4),
        Observation(nodes=up("worker-0", drain=False, cpu=2)),
        ["restart node worker-0: cpu: 2 -> 4"],
    ),
    Row(
        "one worker after the other, each drained first",
        group(3, cpu=4),
        Observation(nodes=up(*workers(3), cpu=2)),
        [
            "drain node worker-0: before its restart",
            "restart node worker-0: cpu: 2 -> 4",
            "drain node worker-1: before its restart",
            "restart node worker-1: cpu: 2 -> 4",
            "drain node worker-2: before its restart",
            "restart node worker-2: cpu: 2 -> 4",
        ],
        due=["node worker-0"],
    ),
    Row(
        "two at a time, when two may be down",
        group(4, unavailable=2, cpu=4),
        Observation(nodes=up(*workers(4), drain=False, cpu=2)),
        [f"restart node worker-{number}: cpu: 2 -> 4" for number in range(4)],
        due=["node worker-0", "node worker-1"],
    ),
    Row(
        "idle workers are changed first: they have nothing to finish",
        group(3, cpu=4),
        Observation(
            nodes=(
                have("head"),
                have("worker-0", cpu=2),
                have("worker-1", cpu=2),
                changed(have("worker-2", cpu=2), idle=True),
            )
        ),
        [f"restart node worker-{number}: cpu: 2 -> 4" for number in (2, 0, 1)],
        due=["node worker-2"],
    ),
    Row(
        "the next batch waits until the one before it is up again",
        group(3, cpu=4),
        Observation(
            nodes=(have("head"), have("worker-0", NodeState.STARTING, "", cpu=4), *up(*workers(3)[1:], cpu=2)[1:])
        ),
        [
            "wait node worker-0: is starting",
            "drain node worker-1: before its restart",
            "restart node worker-1: cpu: 2 -> 4",
            "drain node worker-2: before its restart",
            "restart node worker-2: cpu: 2 -> 4",
        ],
        due=[],
    ),
    Row(
        "a batch that failed is tried again, and holds the others back",
        group(3, cpu=4),
        Observation(
            nodes=(
                have("head"),
                have("worker-0", NodeState.FAILED, "", cpu=4),
                *up(*workers(3)[1:], drain=False, cpu=2)[1:],
            )
        ),
        [
            "restart node worker-0: has failed",
            "restart node worker-1: cpu: 2 -> 4",
            "restart node worker-2: cpu: 2 -> 4",
        ],
        due=["node worker-0"],
    ),
    Row(
        "a worker that is not up is changed at once, and counts as down",
        group(3, cpu=4),
        Observation(
            nodes=(
                have("head"),
                have("worker-0", NodeState.FAILED, "", cpu=2),
                *up(*workers(3)[1:], drain=False, cpu=2)[1:],
            )
        ),
        [f"restart node worker-{number}: cpu: 2 -> 4" for number in range(3)],
        due=["node worker-0"],
    ),
    Row(
        "workers that are down all at once are changed all at once",
        group(3, cpu=4),
        Observation(nodes=(have("head"), *(have(name, NodeState.STOPPED, "", cpu=2) for name in workers(3)))),
        [f"restart node worker-{number}: cpu: 2 -> 4" for number in range(3)],
        due=[f"node worker-{number}" for number in range(3)],
    ),
    Row(
        "a worker that drains is waited for, and its restart comes then",
        group(2, cpu=4),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING", cpu=2), have("worker-1", cpu=2))),
        ["wait node worker-0: is draining", "restart node worker-1: cpu: 2 -> 4"],
        due=[],
    ),
    Row(
        "once drained it is restarted with what is wanted",
        group(2, cpu=4),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINED", cpu=2), have("worker-1", cpu=2))),
        ["restart node worker-0: cpu: 2 -> 4", "restart node worker-1: cpu: 2 -> 4"],
        due=["node worker-0"],
    ),
    Row(
        "a drain that takes too long is not waited for",
        group(1, cpu=4),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING", cpu=2))),
        ["restart node worker-0: cpu: 2 -> 4"],
        waited={"worker-0": LONG},
    ),
    Row(
        "a drain that took less than that is",
        group(1, cpu=4),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING", cpu=2))),
        ["wait node worker-0: is draining"],
        waited={"worker-0": 59.0},
    ),
    Row(
        "a worker that was drained and is still wanted comes back",
        group(1),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINED"))),
        ["restart node worker-0: was drained"],
    ),
    Row(
        "a worker that drains and is still wanted is waited for: draining cannot be undone",
        group(1),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING"))),
        ["wait node worker-0: is draining"],
    ),
    Row(
        "while the head does not answer, nobody knows who works: nothing is taken down",
        group(2, cpu=4),
        Observation(nodes=(have("head", ray_state=""), *(have(name, ray_state="", cpu=2) for name in workers(2)))),
        [
            "wait node head: runs, but Ray does not list it",
            "restart node worker-0: cpu: 2 -> 4",
            "restart node worker-1: cpu: 2 -> 4",
        ],
        due=[],
    ),
    Row(
        "when the head is restarted the workers rejoin anyway: everything at once, and nothing is drained",
        Wanted((), want("head", *workers(3), fingerprint="f2"), rollouts={"worker": Rollout()}),
        Observation(nodes=up(*workers(3))),
        [
            "restart node head: what it is made from changed (restarts the head: every worker has to rejoin)",
            *(f"restart node worker-{number}: what it is made from changed" for number in range(3)),
        ],
        due=["node head", *(f"node worker-{number}" for number in range(3))],
    ),
    Row(
        "groups are rolled side by side, each by its own measure",
        Wanted(
            (),
            (*want("head"), *want("worker-0", "worker-1", "gpu-0", "gpu-1", cpu=4)),
            rollouts={"worker": Rollout(1), "gpu": Rollout(2)},
        ),
        Observation(nodes=(have("head"), *(have(name, cpu=2) for name in ("worker-0", "worker-1", "gpu-0", "gpu-1")))),
        [f"restart node {name}: cpu: 2 -> 4" for name in ("worker-0", "gpu-0", "gpu-1", "worker-1")],
        due=["node worker-0", "node gpu-0", "node gpu-1"],
    ),
    Row(
        "a group without a rollout of its own goes one by one",
        Wanted((), (*want("head"), *want(*workers(2), cpu=4))),
        Observation(nodes=(have("head"), have("worker-0", cpu=2), have("worker-1", cpu=2))),
        ["restart node worker-0: cpu: 2 -> 4", "restart node worker-1: cpu: 2 -> 4"],
        due=["node worker-0"],
    ),
    Row(
        "a new worker is created while the others are changed",
        group(3, cpu=4),
        Observation(nodes=up(*workers(2), drain=False, cpu=2)),
        [
            "create node worker-2: does not exist",
            "restart node worker-0: cpu: 2 -> 4",
            "restart node worker-1: cpu: 2 -> 4",
        ],
        due=["node worker-2"],
    ),
    Row(
        "a variable that changes rolls the group, by its name alone",
        group(2, env_MODE="fast"),
        Observation(nodes=up(*workers(2), drain=False, env_MODE="slow")),
        ["restart node worker-0: env.MODE differs", "restart node worker-1: env.MODE differs"],
        due=["node worker-0"],
    ),
    Row(
        "another environment is switched node by node",
        group(2, fingerprint="f2", environment="ray-b"),
        Observation(nodes=up(*workers(2), drain=False, environment="ray-a")),
        [f"restart node worker-{number}: environment: ray-a -> ray-b" for number in range(2)],
        due=["node worker-0"],
    ),
    Row(
        "several settings that differ are one change",
        group(1, cpu=4, memory_gb=16),
        Observation(nodes=up("worker-0", drain=False, cpu=2, memory_gb=8)),
        ["restart node worker-0: cpu: 2 -> 4, memory_gb: 8 -> 16"],
    ),
    Row(
        "what can be changed while it runs needs no batches",
        group(3, description="new"),
        Observation(nodes=up(*workers(3), description="old")),
        [f"update node worker-{number}: description: old -> new" for number in range(3)],
        due=[f"node worker-{number}" for number in range(3)],
    ),
    Row(
        "a node that was changed and never started anew still runs what it was: it is restarted",
        group(1, cpu=4),
        Observation(nodes=(have("head"), changed(have("worker-0", cpu=4), stale=True))),
        ["restart node worker-0: was changed and has not been started anew since"],
    ),
    Row(
        "so is a head, said as loudly",
        group(0),
        Observation(nodes=(changed(have("head"), stale=True),)),
        [
            "restart node head: was changed and has not been started anew since"
            " (restarts the head: every worker has to rejoin)"
        ],
    ),
    # Spares: more than wanted, for the time of the change
    Row(
        "a spare is created first, where one may be",
        group(2, unavailable=0, surge=1, cpu=4),
        Observation(nodes=up(*workers(2), drain=False, cpu=2)),
        [
            "create node worker-2: stands in while its group is changed",
            "restart node worker-0: cpu: 2 -> 4",
            "restart node worker-1: cpu: 2 -> 4",
        ],
        due=["node worker-2"],
    ),
    Row(
        "nobody goes down before the spare is up",
        group(2, unavailable=0, surge=1, cpu=4),
        Observation(nodes=(*up(*workers(2), drain=False, cpu=2), have("worker-2", NodeState.STARTING, "", cpu=4))),
        [
            "wait node worker-2: is starting",
            "restart node worker-0: cpu: 2 -> 4",
            "restart node worker-1: cpu: 2 -> 4",
        ],
        due=[],
    ),
    Row(
        "once it is up, one goes down",
        group(2, unavailable=0, surge=1, cpu=4),
        Observation(nodes=(*up(*workers(2), drain=False, cpu=2), have("worker-2", cpu=4))),
        ["restart node worker-0: cpu: 2 -> 4", "restart node worker-1: cpu: 2 -> 4"],
        due=["node worker-0"],
    ),
    Row(
        "the spare stays until the last one that was changed is up",
        group(2, unavailable=0, surge=1, cpu=4),
        Observation(
            nodes=(*up("worker-0", cpu=4), have("worker-1", NodeState.STARTING, "", cpu=4), have("worker-2", cpu=4))
        ),
        ["wait node worker-1: is starting"],
    ),
    Row(
        "then it goes, drained like every other",
        group(2, unavailable=0, surge=1, cpu=4),
        Observation(nodes=up(*workers(3), cpu=4)),
        ["drain node worker-2: before it is removed", "stop node worker-2: is no longer wanted"],
        due=["node worker-2"],
    ),
    Row(
        "no more spares than there are nodes to change",
        group(3, surge=2, cpu=4),
        Observation(nodes=(*up(*workers(2), drain=False, cpu=4), have("worker-2", cpu=2))),
        ["create node worker-3: stands in while its group is changed", "restart node worker-2: cpu: 2 -> 4"],
        due=["node worker-3", "node worker-2"],
    ),
    Row(
        "no spares where nothing has to change",
        group(2, surge=1),
        Observation(nodes=up(*workers(2))),
        [],
    ),
    Row(
        "no spares for nodes that are only down",
        group(2, surge=1),
        Observation(nodes=(have("head"), have("worker-0", NodeState.FAILED, ""), have("worker-1"))),
        ["restart node worker-0: has failed"],
    ),
    Row(
        "no spares when everything is restarted at once",
        Wanted(
            (),
            want("head", "worker-0", fingerprint="f2"),
            want("worker-1", fingerprint="f2"),
            {"worker": Rollout(0, 1)},
        ),
        Observation(nodes=up("worker-0")),
        [
            "restart node head: what it is made from changed (restarts the head: every worker has to rejoin)",
            "restart node worker-0: what it is made from changed",
        ],
        due=["node head", "node worker-0"],
    ),
    # What goes
    Row(
        "a worker that nobody wants is drained, then removed",
        group(1),
        Observation(nodes=up("worker-0", "worker-1")),
        ["drain node worker-1: before it is removed", "stop node worker-1: is no longer wanted"],
        due=["node worker-1"],
    ),
    Row(
        "it is removed once it is drained",
        group(0),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINED"))),
        ["stop node worker-0: is no longer wanted"],
    ),
    Row(
        "it is waited for while it drains",
        group(0),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING"))),
        ["wait node worker-0: is draining"],
    ),
    Row(
        "it is removed when it drains for too long",
        group(0),
        Observation(nodes=(have("head"), have("worker-0", ray_state="DRAINING"))),
        ["stop node worker-0: is no longer wanted"],
        waited={"worker-0": LONG},
    ),
    Row(
        "one that is not up has nothing to drain",
        group(0),
        Observation(nodes=(have("head"), changed(have("worker-0", NodeState.STARTING, ""), drain=DRAIN))),
        ["stop node worker-0: is no longer wanted"],
    ),
    Row(
        "down drains nobody: there is no head to move work to",
        Wanted(),
        Observation(nodes=up("worker-0")),
        ["stop node worker-0: is no longer wanted", "stop node head: is no longer wanted"],
        due=["node worker-0"],
    ),
    Row(
        "a removal that hangs is asked for again",
        Wanted(),
        Observation(nodes=(have("worker-0", NodeState.STOPPING),)),
        ["stop node worker-0: is still stopping"],
        waited={"worker-0": LONG},
    ),
    Row(
        "a worker that is wanted and stops for long is not deleted",
        group(1),
        Observation(nodes=(have("head"), have("worker-0", NodeState.STOPPING))),
        ["wait node worker-0: is stopping"],
        waited={"worker-0": LONG},
    ),
    Row(
        "of a node that is there twice, the first stays",
        group(1),
        Observation(nodes=(have("head"), have("worker-0"), changed(have("worker-0"), native_id="second"))),
        ["stop node worker-0: is there twice"],
    ),
    Row(
        "a second one goes even when nobody wants the node at all",
        group(0),
        Observation(nodes=(have("head"), have("worker-0"), changed(have("worker-0"), native_id="second"))),
        ["stop node worker-0: is no longer wanted", "stop node worker-0: is no longer wanted"],
    ),
    Row(
        "a group that is gone from the specification goes",
        group(1),
        Observation(nodes=(have("head"), have("worker-0"), have("gpu-0"))),
        ["stop node gpu-0: is no longer wanted"],
    ),
    # What is written last
    Row(
        "what was reached is written down once everything is up",
        replace(group(1), records=(RECORD,)),
        Observation(nodes=up("worker-0")),
        ["create record converged.json: does not exist"],
        due=["record converged.json"],
    ),
    Row(
        "and not before",
        replace(group(1), records=(RECORD,)),
        Observation(nodes=(have("head"), have("worker-0", NodeState.STARTING, ""))),
        ["wait node worker-0: is starting", "create record converged.json: does not exist"],
        due=[],
    ),
    Row(
        "it comes after the last batch",
        replace(group(2, cpu=4), records=(RECORD,)),
        Observation(
            (Ground("record", "converged.json", GroundState.READY, "old"),), up(*workers(2), drain=False, cpu=2)
        ),
        [
            "restart node worker-0: cpu: 2 -> 4",
            "restart node worker-1: cpu: 2 -> 4",
            "update record converged.json: differs from what is wanted",
        ],
        due=["node worker-0"],
    ),
    Row(
        "what was written already is left alone",
        replace(group(1), records=(RECORD,)),
        Observation((Ground("record", "converged.json", GroundState.READY, "new"),), up("worker-0")),
        [],
    ),
    Row(
        "what must be gone goes before anything that comes after it",
        Wanted((UNWANTED, LAUNCHER), want("head")),
        Observation((Ground("watchdog", "ray", GroundState.READY, "f"),)),
        [
            "stop watchdog ray: is no longer wanted",
            "create launcher head.py: does not exist",
            "create node head: does not exist",
        ],
        due=["watchdog ray"],
    ),
    Row(
        "what must be gone, with the reason that the place gives",
        Wanted((UNWANTED,)),
        Observation((Ground("watchdog", "ray", GroundState.READY, reason="asleep since noon"),)),
        ["stop watchdog ray: asleep since noon"],
    ),
    Row(
        "what must be gone and is",
        Wanted((UNWANTED,)),
        Observation((Ground("watchdog", "ray", GroundState.ABSENT),)),
        [],
    ),
    Row(
        "a cluster is taken down gently: workers finish their work, then the head goes",
        Wanted(gently=True),
        Observation((), up("worker-0", "worker-1")),
        [
            "drain node worker-0: before it is removed",
            "drain node worker-1: before it is removed",
            "stop node worker-0: is no longer wanted",
            "stop node worker-1: is no longer wanted",
            "stop node head: is no longer wanted",
        ],
        due=["node worker-0", "node worker-1"],
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_plan(row: Row) -> None:
    steps = plan(row.wanted, row.seen, waited=row.waited)
    assert [str(step) for step in steps.steps] == row.steps
    assert steps.converged == (not row.steps)
    if row.due is not None:
        assert [f"{step.kind} {step.name}" for step in steps.due()] == row.due


def test_steps_carry_the_request_that_will_be_sent() -> None:
    wanted = Wanted((LAUNCHER,), (*want("head"), *want("worker-0", fingerprint="f2")))
    seen = Observation(nodes=(have("worker-0"),))
    assert {str(step.name): step.request for step in plan(wanted, seen).steps} == {
        "head.py": {"body": "launcher"},
        "head": {"body": "create head"},
        "worker-0": {"body": "update worker-0"},
    }


def test_what_is_changed_in_place_touches_nothing_else() -> None:
    steps = plan(Wanted((), want("head", description="ours")), Observation(nodes=(have("head", description="edited"),)))
    assert [step.request for step in steps.steps] == [{"body": "touch head"}]


def test_a_taken_name_is_an_error_before_anything_is_done() -> None:
    with pytest.raises(NameTaken, match="worker-0: the name is taken"):
        plan(Wanted((), want("head", "worker-0")), Observation(strangers=frozenset({"worker-0"})))
