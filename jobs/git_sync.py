"""CML job: bring this project's clone to a commit. All logic is in cai_deploy.project.checkout.

Arguments come in JOB_ARGUMENTS: --ref BRANCH_TAG_OR_COMMIT [--force]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from cai_deploy.project import checkout, job


def work(tell):
    parser = job.Arguments(prog="git_sync")
    parser.add_argument("--ref", required=True)
    parser.add_argument("--force", action="store_true", help="throw local edits to tracked files away")
    wanted = parser.parse_job_arguments()
    result = checkout.sync(Path.cwd(), wanted.ref, force=wanted.force)
    tell(f"moved to {result.commit}" if result.changed else f"nothing to do: at {result.commit}")


job.run("git_sync", work)
