"""``python -m cai_deploy.node head|worker``, as a launcher runs it, with its settings in CAI_DEPLOY_SETTINGS."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from cai_deploy import node_settings
from cai_deploy.errors import DeployError
from cai_deploy.node.agent import Agent
from cai_deploy.node.batch.batch_job import BatchJob, on_block
from cai_deploy.node.batch.client import CLIENTS, NO_HEAD, Errand
from cai_deploy.node.head_search import NoHead
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod
from cai_deploy.node.watch import RayEnded
from cai_deploy.node_settings import NodeSettings


def main() -> int:
    """Run one node to its end. 0 after a stop that was asked for, 1 for everything else.

    A client's job returns what its script does, and NO_HEAD where it has come to nothing for want of a head.
    """
    pod = Pod.from_environment(os.environ, Path.cwd())
    settings = node_settings.parse(os.environ.get("CAI_DEPLOY_SETTINGS", ""))
    job = BatchJob.from_environment(os.environ)
    errand = Errand.from_environment(os.environ, pod.project) if job else None
    if job and errand:
        pod, settings = replace(pod, node=f"{CLIENTS}-{job.id}"), replace(settings, group=CLIENTS)
    with Journal(pod.log_file(settings.cluster), sys.stderr if errand else sys.stdout) as journal:
        try:
            return _run(settings, pod, journal, job, errand)
        except DeployError as error:
            for line in (f"error: {error.what}", *error.why.splitlines(), f"hint: {error.next_step}"):
                journal.tell(line)
            return NO_HEAD if errand and isinstance(error, (NoHead, RayEnded)) else 1
        except Exception:  # noqa: BLE001 (no reader outside sees this pod's stderr, only the project file)
            for line in traceback.format_exc().splitlines():
                journal.tell(line)
            return 1


def _run(settings: NodeSettings, pod: Pod, journal: Journal, job: BatchJob | None, errand: Errand | None) -> int:
    if job is None:
        return Agent(settings, pod, journal).run()
    held = job.take_ports(settings.cpu)
    try:
        block = held.block
        journal.tell(f"job {job.id} on {job.machine or 'this machine'} has the ports {block.first} to {block.last}")
        os.environ.update(block.variables())
        pod, job = replace(pod, app_port=block.app), replace(job, first_port=block.first)
        return Agent(on_block(block, settings), pod, journal, job, errand).run()
    finally:
        held.release()


if __name__ == "__main__":
    sys.exit(main())
