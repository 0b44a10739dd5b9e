"""A client: a job that joins a cluster as one more node, runs one script against it, and ends as the script ends.

It is no member of the cluster's specification; its mark says so by its group. What it needs beside the script is what
the head's own job was given, so that the same code runs on both. It knows no clock and waits for nothing.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.node_settings import NodeSettings
from cai_deploy.places.slurm.batch import NodeJob, Submission, render_script
from cai_deploy.places.slurm.client_options import ClientShape
from cai_deploy.places.slurm.head_jobs import HeadInfo, HeadJob
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.spec import HEAD, ClusterSpec

GROUP = "client"

HANDED_ON = ("CAI_DEPLOY_PLACE", "CAI_DEPLOY_EPOCH", "PYTHONPATH")
"""Of the head's variables: what code it runs, and where."""


@dataclass(frozen=True)
class Script:
    """What is to be run: a script with its arguments, as seen from the directory that it is started in."""

    path: str
    arguments: tuple[str, ...]
    directory: Path


@dataclass(frozen=True)
class Client:
    """A client's job, ready to be submitted. ``output`` is what it writes."""

    submission: Submission
    output: Path

    @property
    def name(self) -> str:
        """By what it is told from others before Slurm gives it a number."""
        return self.submission.mark.node


def exports_of(script: str) -> dict[str, str]:
    """The variables that a batch script of ours gives its node."""
    words = shlex.split(script, comments=True)
    pairs = (word.partition("=") for before, word in itertools.pairwise(words) if before == "export")
    return {name: value for name, _, value in pairs}


def inherited(head: HeadJob) -> Mapping[str, str]:
    """The variables that the head's job was given. Raises DeployError when nobody can tell."""
    file = head.directory / layout.job_script_file(head.mark.cluster, HEAD)
    try:
        return exports_of(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeployError(
            f"what the head runs cannot be read: {file}",
            why=str(error.strerror),
            next_step="launch the cluster again; only its owner can run clients on it",
        ) from error


def environment_of(head: HeadJob, variables: Mapping[str, str]) -> str:
    """The name of the environment that the head runs in, which is complete. Raises DeployError."""
    name = variables.get("CAI_DEPLOY_ENVIRONMENT", "")
    ready = head.directory / layout.environment_ready_file(name)
    if not name or not ready.is_file():
        raise DeployError(
            f"the environment {name or 'of the head'} is not there",
            why=f"{ready} is missing",
            next_step="build it: python -m cai_deploy launch",
        )
    return name


def specification(head: HeadJob) -> ClusterSpec:
    """What the cluster was last launched with; the defaults where that cannot be told."""
    file = head.directory / layout.applied_spec_file(head.mark.cluster)
    try:
        return ClusterSpec.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ClusterSpec(name=head.mark.cluster)


def settings_of(info: HeadInfo, spec: ClusterSpec, environment: str, shape: ClientShape, gpu: int = 0) -> NodeSettings:
    """What the client's agent has to know."""
    head = info.connection
    return NodeSettings(
        cluster=head.cluster,
        role="worker",
        group=GROUP,
        environment=environment,
        ray_version=head.ray_version,
        cpu=shape.cpu,
        memory_gb=shape.memory_gb,
        gpu=gpu,
        join_timeout=spec.timeouts.join,
        stop_timeout=spec.timeouts.stop,
        authentication="token" if head.token_path else "none",
        tls=bool(head.authority_path),
    )


def checkpoint_of(spec: ClusterSpec, options: SlurmOptions) -> float:
    """Seconds for a script after its warning, of which enough is left for the node to leave the cluster."""
    left = max(options.warning - spec.timeouts.stop, options.warning / 2)
    return min(float(spec.slurm.checkpoint), left)


def prepare(head: HeadJob, settings: NodeSettings, options: SlurmOptions, script: Script, checkpoint: float) -> Client:
    """Write the client's batch script, under a name that no other client has."""
    directory = str(head.directory)
    python = str(head.directory / layout.environment_dir(settings.environment) / "bin" / "python")
    given = inherited(head)
    variables = {
        **{name: given[name] for name in HANDED_ON if name in given},
        "CAI_DEPLOY_ENVIRONMENT": settings.environment,
        "CAI_DEPLOY_SETTINGS": settings.to_json(),
        "CAI_DEPLOY_RUN": json.dumps(["python", script.path, *script.arguments]),
        "CAI_DEPLOY_RUN_DIRECTORY": str(script.directory),
        "CAI_DEPLOY_CHECKPOINT": f"{checkpoint:g}",
    }

    def text_of(node: str) -> str:
        mark = mark_of(node)
        job = NodeJob(
            mark=mark,
            cpu=settings.cpu,
            memory_gb=settings.memory_gb,
            gpu=settings.gpu,
            options=options,
            directory=directory,
            output=layout.job_output_file(mark.cluster, mark.node),
            command=(python, "-m", "cai_deploy.node", "worker"),
            variables={**variables, "CAI_DEPLOY_NODE": node},
        )
        return render_script(job)

    def mark_of(node: str) -> Mark:
        return Mark(head.mark.cluster, head.mark.owner, node, GROUP, "", head.mark.epoch)

    node, file = _written(head.directory / layout.job_script_file(head.mark.cluster, HEAD), text_of)
    mark = mark_of(node)
    submission = Submission(file, mark, options.partition or "", options.account or "")
    return Client(submission, head.directory / layout.job_output_file(mark.cluster, mark.node))


def _written(beside: Path, text_of: Callable[[str], str]) -> tuple[str, Path]:
    """The client's name and its script, which stands beside the head's. Raises DeployError."""
    numbers = [re.fullmatch(rf"{GROUP}-(\d+)", file.stem) for file in beside.parent.glob(f"{GROUP}-*.sh")]
    number = max((int(match[1]) for match in numbers if match), default=-1) + 1
    while True:
        node = f"{GROUP}-{number}"
        file = beside.with_name(f"{node}.sh")
        text = text_of(node)
        try:
            # Two may be submitted at once: whoever makes the file first has the name.
            with file.open("x", encoding="utf-8") as script:
                script.write(text)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise DeployError(
                f"the client's script cannot be written: {file}",
                why=str(error.strerror),
                next_step="a cluster is its owner's: launch one of your own",
            ) from error
        else:
            return node, file
