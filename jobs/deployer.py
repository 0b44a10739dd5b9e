"""CML job: one command of the deployer from inside the workspace, with the environment that setup_environment built.

Arguments come in JOB_ARGUMENTS: the command's own words, for example
    scale --workers 2
"""

import os
import shlex
import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from cai_deploy.project import job, relaunch


def work(tell):
    relaunch.call(Path.cwd(), shlex.split(os.environ.get("JOB_ARGUMENTS", "")), tell)


job.run("deployer", work)
