"""CML job: bring this project's clone to a commit. All logic is in cai_deploy.project.checkout.

Arguments come in JOB_ARGUMENTS: [--ref BRANCH_TAG_OR_COMMIT] [--url ADDRESS] [--force]; without --ref to the newest of
its branch, with --url from there, as a new clone if there is none.
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from cai_deploy import git_access, layout
from cai_deploy.project import checkout, job


def work(tell):
    parser = job.Arguments(prog="git_sync")
    parser.add_argument("--ref")
    parser.add_argument("--url")
    parser.add_argument("--force", action="store_true", help="throw local edits to tracked files away")
    wanted = parser.parse_job_arguments()
    access = git_access.find(Path.cwd() / layout.GIT_ACCESS_DIR)
    if access:
        tell(access.story())
    with checkout.opened(Path.cwd(), wanted.url, access) as clone:
        result = clone.sync(wanted.ref or clone.branch(), force=wanted.force)
    tell(f"moved to {result.commit}" if result.changed else f"nothing to do: at {result.commit}")


job.run("git_sync", work)
