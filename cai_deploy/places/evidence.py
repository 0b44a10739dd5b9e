"""What the nodes of any cluster have written, gathered from the files of its project directory. Reads only.

A part that cannot be read is said to be so, and does not keep the others from being read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from cai_deploy import layout
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import DeployError
from cai_deploy.places.files import ProjectFiles
from cai_deploy.shell import last_lines
from cai_deploy.state import Node, NodeState

LINES = 400
RAY_LINES = 4000
"""Many logs in one file, each of which was kept short already."""


def read(source: str, reading: Callable[[], str]) -> Exhibit:
    """What ``reading`` gives, or that it could not be read."""
    try:
        return Exhibit(source, reading())
    except DeployError as error:
        return Exhibit(source, f"(could not be read: {error})")


def node_lines(nodes: Sequence[Node]) -> str:
    """A line for each node, and why it is as it is where the place says so."""
    return "\n".join(
        f"{node.name}: {node.state.value}, Ray says {node.ray_state or 'nothing'} ({node.native_id})"
        f"{f': {node.reason}' if node.reason else ''}"
        for node in nodes
    )


def written(files: ProjectFiles, cluster: str, nodes: Sequence[Node], jobs: Mapping[str, str]) -> Iterator[Exhibit]:
    """The ends of all logs; ``jobs`` are other logs, as paths by what they are called."""
    logs = {**jobs, **{f"log of {node.name}": layout.node_log_file(cluster, node.name) for node in nodes}}
    told = [read(source, _reader(files, path)) for source, path in logs.items()]
    yield from told
    heard = {exhibit.source for exhibit in told if exhibit.text}
    silent = [node for node in nodes if f"log of {node.name}" not in heard]
    yield Exhibit("nodes without a log", "\n".join(_silent_lines(silent)))
    yield from _ray_logs(files, cluster, [node.name for node in nodes])


def _silent_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """A node writes as soon as it runs."""
    for node in nodes:
        if node.state in (NodeState.PENDING, NodeState.STARTING):
            yield f"{node.name}: {node.state.value}, it waits for a place to run, as it has written nothing yet"


def _ray_logs(files: ProjectFiles, cluster: str, nodes: Sequence[str]) -> Iterator[Exhibit]:
    """Ray's own logs of each node, if there are any: of the Ray that runs, and of the one that ended last."""
    try:
        there = {file.path for file in files.list(layout.logs_dir(cluster))}
    except DeployError:
        return  # The agents' logs stand in the same place, so that it cannot be read is said already.
    for node in nodes:
        running, ended = layout.ray_log_file(cluster, node), layout.ended_ray_log_file(cluster, node)
        for source, path in ((f"Ray's logs of {node}", running), (f"Ray's logs of {node}, before it ended", ended)):
            if path.rpartition("/")[2] in there:
                yield read(source, _reader(files, path, RAY_LINES))


def _reader(files: ProjectFiles, path: str, lines: int = LINES) -> Callable[[], str]:
    return lambda: last_lines(files.read_text(path) or "", lines)
