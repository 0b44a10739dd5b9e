"""CML job: launch the cluster from inside the workspace, with the environment that setup_environment built.

Arguments come in JOB_ARGUMENTS: [--environment NAME] [-- LAUNCH ARGUMENTS], for example
    -- --workers 2
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from cai_deploy.project import job, relaunch


def work(tell):
    parser = job.Arguments(prog="launch_ray_cluster")
    parser.add_argument("--environment")
    parser.add_argument("launch", nargs="*")
    wanted = parser.parse_job_arguments()
    relaunch.launch(Path.cwd(), wanted.environment, wanted.launch, tell)


job.run("launch_ray_cluster", work)
