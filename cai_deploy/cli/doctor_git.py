"""What ``doctor`` looks at of the repository that a project clones: whether it answers, and has what is asked for."""

from __future__ import annotations

import os

from cai_deploy.cli.checks import Check
from cai_deploy.errors import CommandFailed, ConfigError
from cai_deploy.places.cai.site import Credential, Site, is_this_machine
from cai_deploy.redaction import without_credentials
from cai_deploy.shell import run
from cai_deploy.source import Source
from cai_deploy.spec import Project

TIMEOUT = 20.0
PRIVATE = "check the address; a private repository needs project.git_key_file or project.git_token_env"


def look_at_git(project: Project, site: Site, here: Source | None, *, needed: bool) -> Check:
    """Whether what ``site`` is made from can be cloned, as seen from here, which is ``needed`` without a project."""
    url, ref = site.git_url, site.git_ref
    if needed and site.unclonable:
        nothing = ConfigError(
            f"there is nothing to clone: {site.unclonable} has no origin", next_step="set project.git_url, or add one"
        )
        return Check.failed("git", nothing)
    if not url:
        return Check("git", "no repository: nothing has to be cloned")
    if site.credential:
        return look_at_private(url, site.credential)
    try:
        commit = answered(url, ref)
    except CommandFailed as error:
        silent = ConfigError(f"{url} does not answer from here: {last_line(error)}", next_step=PRIVATE)
        certain = needed and is_this_machine(site.host)
        return Check.failed("git", silent) if certain else Check.warned("git", silent.what, PRIVATE)
    if not commit:
        step = f"push it: git push -u origin {ref}" if ref else "commit to it"
        return Check.failed("git", ConfigError(f"{url} has no {ref or 'commit'}", next_step=step))
    if here and not project.git_url and not project.git_ref and commit != here.commit:
        behind = f"{ref} of {url} is at {commit[:10]}, and you stand on {here.commit[:10]}"
        return Check.warned("git", behind, "push your commits: a clone has only what is pushed")
    return Check("git", f"{url} answers" + (f", {ref} is at {commit[:10]}" if ref else ""))


def look_at_private(url: str, credential: Credential) -> Check:
    """What opens a private repository; a job of the project uses it, so it is not tried here."""
    if credential.missing:
        return Check.failed("git", ConfigError(credential.missing, next_step=f"it has to open {url}"))
    return Check("git", f"{url} is private; a {credential.kind} to open it is at hand")


def answered(url: str, ref: str) -> str:
    """The commit of ``ref`` (HEAD if it is "") at ``url``, "" when there is none. Raises CommandFailed."""
    asked = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10"}
    listed = run(["git", "ls-remote", url, ref or "HEAD"], timeout=TIMEOUT, env=asked).stdout.split()
    if not listed and len(ref) == 40:  # servers list no commits: whether it is there shows at the clone
        return ref
    return listed[0] if listed else ""


def last_line(error: CommandFailed) -> str:
    """What git said in the end."""
    lines = [line for line in error.output_tail.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal:")]
    return without_credentials((fatal or lines or ["no answer"])[-1].removeprefix("fatal: "))
