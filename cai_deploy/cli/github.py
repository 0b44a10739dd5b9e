"""What GitHub Actions takes from a command: Markdown for a job's summary or a comment, name=value lines for outputs.

Text alone. Whatever comes from elsewhere stands inside a block of code, where it mentions nobody and formats nothing,
and a value of an output never has a second line, which would be another output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cai_deploy.cli.output import in_order
from cai_deploy.state import Action, Observation, Plan, Step

MOST_LINES = 300
"""Of a plan; a comment holds 65,536 characters."""

WIDEST = 180

COLOURS: dict[Action, str] = {"create": "+", "update": "!", "restart": "!", "drain": "!", "stop": "-", "wait": " "}
"""How GitHub colours a step in a block of the kind ``diff``."""


def plan_markdown(cluster: str, verb: str, plan: Plan) -> str:
    """The plan of ``verb`` as Markdown: how much changes in a line, then step by step."""
    if plan.converged:
        return f"### Cluster `{cluster}`: nothing to do\n\n`{verb}` would change nothing.\n"
    counted = Counter(step.action for step in plan.steps)
    story = ", ".join(f"{number} to {action}" for action, number in counted.items())
    return f"### Cluster `{cluster}`: {story}\n\nWhat `{verb}` would do, in order:\n\n" + _block(plan.steps)


def status_markdown(cluster: str, seen: Observation, story: str) -> str:
    """The nodes as a table, with the address of the head; ``story`` is what a person is told of the whole."""
    lines = [f"### Cluster `{cluster}`: {story}", ""]
    if seen.nodes:
        lines += ["| node | group | state | Ray | address |", "|---|---|---|---|---|"]
        lines += [
            f"| {node.name} | {node.group} | {node.state.value} | {node.ray_state or '-'} | {node.address or '-'} |"
            for node in in_order(seen.nodes)
        ]
        lines.append("")
    if seen.connection:
        lines += [f"Ray {seen.connection.ray_version}, dashboard: <{seen.connection.dashboard_url}>", ""]
    return "\n".join(lines)


def output_lines(cluster: str, seen: Observation, *, converged: bool) -> list[str]:
    """A step's outputs. What is not known is empty; ``nodes`` are those that Ray lists ALIVE."""
    info = seen.connection
    values = {
        "cluster": cluster,
        "converged": str(converged).lower(),
        "nodes": str(sum(node.ready for node in seen.nodes)),
        "head-url": info.dashboard_url if info else "",
        "ray-version": info.ray_version if info else "",
    }
    return [f"{name}={' '.join(value.split())}" for name, value in values.items()]


def _block(steps: Sequence[Step]) -> str:
    lines = [_line(step) for step in steps[:MOST_LINES]]
    if left := len(steps) - len(lines):
        lines.append(f"  and {left} more")
    fence = "`" * max(3, 1 + max(_longest_run(line) for line in lines))
    return "\n".join([f"{fence}diff", *lines, fence, ""])


def _line(step: Step) -> str:
    text = " ".join(str(step).split())
    shown = text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
    return f"{COLOURS[step.action]} {shown}"


def _longest_run(line: str) -> int:
    return max(_runs(line), default=0)


def _runs(line: str) -> Iterator[int]:
    run = 0
    for character in line:
        run = run + 1 if character == "`" else 0
        yield run
