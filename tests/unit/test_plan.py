"""The rules of change as a table: wanted + observed -> exact steps and reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cai_deploy.plan import NameTaken, plan
from cai_deploy.state import (
    Ground,
    GroundState,
    Node,
    NodeState,
    Observation,
    Wanted,
    WantedGround,
    WantedNode,
)

PROJECT = WantedGround("project", "ray", "", {"body": "project"})
ENVIRONMENT = WantedGround("environment", "ray-1", "ray-1", {"body": "environment"})
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
    overdue: set[str] = field(default_factory=set)
    due: list[str] | None = None


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
        overdue={"worker-0"},
    ),
    Row(
        "a node that is overdue because the workspace has not started it yet is not restarted",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0", NodeState.STARTING, ""),)),
        ["wait node worker-0: is starting"],
        overdue={"worker-0"},
    ),
    Row(
        "an overdue node that has become ready is left alone",
        Wanted((), want("worker-0")),
        Observation(nodes=(have("worker-0"),)),
        [],
        overdue={"worker-0"},
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
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_plan(row: Row) -> None:
    steps = plan(row.wanted, row.seen, overdue=row.overdue)
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


def test_a_taken_name_is_an_error_before_anything_is_done() -> None:
    with pytest.raises(NameTaken, match="worker-0: the name is taken"):
        plan(Wanted((), want("head", "worker-0")), Observation(strangers=frozenset({"worker-0"})))
