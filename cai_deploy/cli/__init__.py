"""The command line: one file a verb, each parse -> call -> show.

A verb's module is imported when the verb is used, so that ``--help`` and a mistyped option answer at once. Exit codes:
0 done, 1 failed, 2 usage or configuration, 3 not converged in time, 4 authentication, 5 place unreachable.
"""

from __future__ import annotations

import gc as garbage  # by another name, as a verb of ours is called gc
import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import click

from cai_deploy.cli.version import version_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBS = {
    "init": "Write the first cai-deploy.yaml: asks, or takes options.",
    "launch": "Bring the cluster up, or to its specification.",
    "plan": "Show what launch would change, and change nothing.",
    "status": "Show the cluster's nodes and how to connect.",
    "scale": "Change the number of workers.",
    "deploy": "Bring code, environment and cluster to the newest commit.",
    "restart": "End nodes and begin them again, on Docker Compose.",
    "up-worker": "Have a worker of this machine join a head elsewhere, on Docker Compose.",
    "down": "Remove the cluster.",
    "watchdog": "Look after the cluster once, as its watchdog does by the clock.",
    "sleep": "Remove the nodes and keep all else, until the next launch.",
    "schedule": "Show, plan, apply or remove what happens by the clock.",
    "gc": "List or remove what nobody wants any more.",
    "explain": "Say what is wrong, and what to do.",
    "submit": "Run a command on the cluster, with this directory.",
    "jobs": "List, show, follow and stop jobs.",
    "connect": "Say how to reach the cluster, or open ports here that lead to it.",
    "watch": "Show nodes, jobs and events as they change.",
    "logs": "Show what nodes have written.",
    "render": "Show the launcher scripts, or what Docker Compose runs.",
    "doctor": "Look whether a launch can work; print what a mesh needs.",
    "ports": "Show a cluster's ports; print the firewall rules between hosts of your own.",
    "worker": "Have this machine join a cluster on hosts of your own, and leave it.",
    "boot": "Have hosts of your own start their nodes again when they boot, or print what does.",
    "config": "Show or check the specification; print its schema.",
    "slurm": "Run a script as a job of Slurm that joins a cluster there; list such clusters.",
    "workspace": "Run the local workspace: start, stop, status, env, logs.",
    "completion": "Print what has a shell complete this command line.",
}


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command = _module(cmd_name).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs by name, without importing them all for their help."""
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(verb, help=told) for verb, told in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--transport",
    type=click.Choice(("requests", "cmlapi")),
    expose_value=False,
    callback=lambda context, parameter, value: _send_through(value),  # noqa: ARG005
    help="What sends the workspace's API calls. Default: CAI_DEPLOY_TRANSPORT, or requests.",
)
@version_option
def cli() -> None:
    """Ray clusters in Cloudera AI workspaces.

    With CML_HOST and CML_API_KEY set, the cluster runs in that workspace. Without them it runs on this machine, in a
    local workspace that is started for you.

    \b
    Examples:
      python -m cai_deploy launch --workers 2
      python -m cai_deploy status --json
      python -m cai_deploy down
    """


def _module(verb: str) -> ModuleType:
    """What is imported stays, so nobody looks for garbage in it meanwhile, which is a twentieth of the time."""
    garbage.disable()
    try:
        return importlib.import_module(f"cai_deploy.cli.{verb.replace('-', '_')}")
    finally:
        garbage.enable()


def _send_through(transport: str | None) -> None:
    """For this process, as the variable does it for all."""
    if transport:
        os.environ["CAI_DEPLOY_TRANSPORT"] = transport


def run() -> None:
    """The entry point: show our own errors as what, why and next step, and answer with their exit code."""
    from cai_deploy.errors import ConfigError, DeployError

    # What stands behind -- is for somebody else.
    own = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
    try:
        cli.main(standalone_mode=False)
    except DeployError as error:
        from cai_deploy.cli.output import show_error  # knows all that is shown, which takes its time

        status = _status(error.exit_code, own)
        show_error(error, status, as_json="--json" in own)
        sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(_status(ConfigError.exit_code, own))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)


def _status(usual: int, own: list[str]) -> int:
    """The exit status of an error: with --exit-code, 2 says that something would change, and no error is that."""
    return 1 if "--exit-code" in own else usual
