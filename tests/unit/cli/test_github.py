"""What GitHub Actions takes from `plan` and `status`, and that nothing in it can be more than text."""

from __future__ import annotations

from dataclasses import replace

from cai_deploy.cli.github import MOST_LINES, output_lines, plan_markdown, status_markdown
from cai_deploy.connection import ConnectionInfo
from cai_deploy.state import Node, NodeState, Observation, Plan, Step

HEAD = Node("head", "head", "head", NodeState.RUNNING, "17", "f", "10.0.0.1", "ALIVE")
WORKER = Node("worker-0", "worker", "worker", NodeState.PENDING, "18", "f")
CONNECTION = ConnectionInfo(
    cluster="ray",
    epoch=1,
    node_address="10.0.0.1",
    gcs_address="10.0.0.1:6379",
    client_address="10.0.0.1:10001",
    dashboard_address="10.0.0.1:8265",
    dashboard_url="https://ray-head.example.com",
    ray_version="2.60.0",
    python_version="3.11.7",
    started_at="2026-11-21T00:00:00Z",
)


def test_a_plan_in_markdown() -> None:
    plan = Plan(
        (
            Step("create", "node", "worker-1", "does not exist", 1),
            Step("drain", "node", "worker-0", "before its restart", 2),
            Step("restart", "node", "worker-0", "cpu: 7.0 -> 1.0", 3),
            Step("stop", "node", "worker-2", "not wanted", 3),
        )
    )
    assert plan_markdown("ray", "deploy", plan) == (
        "### Cluster `ray`: 1 to create, 1 to drain, 1 to restart, 1 to stop\n"
        "\n"
        "What `deploy` would do, in order:\n"
        "\n"
        "```diff\n"
        "+ create node worker-1: does not exist\n"
        "! drain node worker-0: before its restart\n"
        "! restart node worker-0: cpu: 7.0 -> 1.0\n"
        "- stop node worker-2: not wanted\n"
        "```\n"
    )


def test_an_empty_plan_in_markdown() -> None:
    assert plan_markdown("ray", "launch", Plan()) == (
        "### Cluster `ray`: nothing to do\n\n`launch` would change nothing.\n"
    )


def test_a_reason_cannot_leave_its_block_of_code() -> None:
    told = plan_markdown("ray", "deploy", Plan((Step("update", "code", "x", "was\n```\n@everybody", 0),)))
    assert told.splitlines()[-3:] == ["````diff", "! update code x: was ``` @everybody", "````"]


def test_a_plan_of_thousands_fits_into_a_comment() -> None:
    steps = tuple(Step("create", "node", f"worker-{number}", "x" * 500, 1) for number in range(10_000))
    told = plan_markdown("ray", "deploy", Plan(steps))
    assert len(told) < 65_536
    assert told.splitlines()[0] == "### Cluster `ray`: 10000 to create"
    assert f"  and {10_000 - MOST_LINES} more" in told.splitlines()


def test_the_status_in_markdown() -> None:
    told = status_markdown("ray", Observation(nodes=(WORKER, HEAD), connection=CONNECTION), "1 nodes ALIVE")
    assert told == (
        "### Cluster `ray`: 1 nodes ALIVE\n"
        "\n"
        "| node | group | state | Ray | address |\n"
        "|---|---|---|---|---|\n"
        "| head | head | running | ALIVE | 10.0.0.1 |\n"
        "| worker-0 | worker | pending | - | - |\n"
        "\n"
        "Ray 2.60.0, dashboard: <https://ray-head.example.com>\n"
    )


def test_outputs() -> None:
    assert output_lines("ray", Observation(nodes=(WORKER, HEAD), connection=CONNECTION), converged=False) == [
        "cluster=ray",
        "converged=false",
        "nodes=1",
        "head-url=https://ray-head.example.com",
        "ray-version=2.60.0",
    ]
    assert output_lines("ray", Observation(), converged=True)[1:] == [
        "converged=true",
        "nodes=0",
        "head-url=",
        "ray-version=",
    ]


def test_a_value_never_becomes_another_output() -> None:
    told = replace(CONNECTION, ray_version="2.60.0\nhead-url=https://elsewhere.example.com")
    assert output_lines("ray", Observation(connection=told), converged=True)[-1] == (
        "ray-version=2.60.0 head-url=https://elsewhere.example.com"
    )
