"""The Python API for one cluster: start it, stop it.

The same journeys as the command line, for code that would rather not run a process. Script paths are paths in the
project; without them the applications run the inline ``ray start ... --block`` command.
"""

from __future__ import annotations

from pathlib import Path

from cai_deploy.config import with_workers
from cai_deploy.deploy import launch, tear_down
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.reconcile import Converged
from cai_deploy.session import open_session
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation, Plan, Step


class Silent:
    """A watcher who says nothing; pass your own ``Progress`` to hear more."""

    def looked(self, plan: Plan, seen: Observation) -> None:
        """Nothing."""

    def applying(self, step: Step) -> None:
        """Nothing."""


def start_cluster(
    head_script_path: str | None = None,
    worker_script_path: str | None = None,
    *,
    workers: int | None = None,
    config: Path | None = None,
) -> Converged[CaiObservation]:
    """Bring the cluster up and return what was seen in the end, connection info included.

    A role without a script path runs the inline command. Raises DeployError as ``launch`` does.
    """
    session = open_session(config, tell=_ignore)
    spec = with_scripts(with_workers(session.spec_to_launch(), workers), head_script_path, worker_script_path)
    return launch(session.place, spec, Silent())


def stop_cluster(config: Path | None = None) -> None:
    """Remove the cluster; returns when an observation finds none of its nodes."""
    session = open_session(config, tell=_ignore)
    tear_down(session.place, session.configured, Silent())


def with_scripts(spec: ClusterSpec, head: str | None, worker: str | None) -> ClusterSpec:
    """``spec`` with these scripts, and inline commands where there is none."""
    groups = tuple(group.model_copy(update={"script": worker or group.script}) for group in spec.workers)
    return spec.model_copy(
        update={
            "launch_with": "inline",
            "head": spec.head.model_copy(update={"script": head or spec.head.script}),
            "workers": groups,
        }
    )


def _ignore(text: str) -> None:
    """For a caller who wants no story."""
