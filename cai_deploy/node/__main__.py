"""``python -m cai_deploy.node head|worker``, as a launcher runs it, with its settings in CAI_DEPLOY_SETTINGS."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from cai_deploy import node_settings
from cai_deploy.errors import DeployError
from cai_deploy.node.agent import Agent
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod


def main() -> int:
    """Run one node to its end. 0 after a stop that was asked for, 1 for everything else."""
    pod = Pod.from_environment(os.environ, Path.cwd())
    settings = node_settings.parse(os.environ.get("CAI_DEPLOY_SETTINGS", ""))
    with Journal(pod.log_file(settings.cluster)) as journal:
        try:
            return Agent(settings, pod, journal).run()
        except DeployError as error:
            for line in (f"error: {error.what}", *error.why.splitlines(), f"hint: {error.next_step}"):
                journal.tell(line)
            return 1
        except Exception:  # noqa: BLE001 (no reader outside sees this pod's stderr, only the project file)
            for line in traceback.format_exc().splitlines():
                journal.tell(line)
            return 1


if __name__ == "__main__":
    sys.exit(main())
