"""CML job: look after one cluster of this project, with the environment that setup_environment built.

Arguments come in JOB_ARGUMENTS: --cluster NAME [--environment NAME]
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from cai_deploy.project import job, relaunch


def work(tell):
    parser = job.Arguments(prog="watchdog")
    parser.add_argument("--environment")
    parser.add_argument("--cluster", required=True)
    wanted = parser.parse_job_arguments()
    relaunch.watch(Path.cwd(), wanted.environment, wanted.cluster, tell)


job.run("watchdog", work)
