"""Everything that a cluster of containers has written, gathered before anything of it goes. Reads only."""

from __future__ import annotations

from cai_deploy import layout
from cai_deploy.diagnosis import Exhibit
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.evidence import node_lines, read, written
from cai_deploy.places.files import ProjectFiles
from cai_deploy.shell import last_lines
from cai_deploy.state import Node, Step

LINES = 200


def gather(files: ProjectFiles, engine: Engine, seen: ComposeObservation, cluster: str) -> tuple[Exhibit, ...]:
    """The states of containers, what they printed, and the ends of the logs of all nodes."""
    nodes = (*seen.nodes, *seen.guests)
    printed = [_printed(engine, node) for node in nodes]
    exhibits = [Exhibit("the nodes", node_lines(nodes)), *printed, *written(files, cluster, nodes, {})]
    return tuple(exhibit for exhibit in exhibits if exhibit.text)


def last_words(files: ProjectFiles, engine: Engine, cluster: str, step: Step) -> str:
    """The end of a node's own log; or, when it never got so far, of what its container printed."""
    log = last_lines(files.read_text(layout.node_log_file(cluster, step.name)) or "")
    return log or (last_lines(engine.output(step.native_id, LINES)) if step.native_id else "")


def _printed(engine: Engine, node: Node) -> Exhibit:
    return read(f"output of the container of {node.name}", lambda: last_lines(engine.output(node.native_id, LINES)))
