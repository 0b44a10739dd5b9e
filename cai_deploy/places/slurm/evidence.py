"""Everything that a cluster on Slurm has written, gathered before anything of it goes. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy import layout
from cai_deploy.diagnosis import Exhibit
from cai_deploy.places.evidence import node_lines, written
from cai_deploy.places.files import ProjectFiles
from cai_deploy.places.node_groups import role_of
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.state import Node, NodeState


def gather(files: ProjectFiles, seen: SlurmObservation, cluster: str) -> tuple[Exhibit, ...]:
    """The states of jobs, how others ended, and the ends of the logs of all of them."""
    nodes = (*seen.nodes, *seen.clients, *_ended(seen))
    outputs = {f"output of the job of {node.name}": layout.job_output_file(cluster, node.name) for node in nodes}
    exhibits = [Exhibit("the nodes", node_lines(nodes)), *written(files, cluster, nodes, outputs)]
    return tuple(exhibit for exhibit in exhibits if exhibit.text)


def _ended(seen: SlurmObservation) -> Iterator[Node]:
    for name, how in seen.ends.items():
        yield Node(name, role_of(name), "", NodeState.STOPPED, "", "", reason=how)
