"""The command line: one file a verb, each parse -> call -> show.

A verb's module is imported when the verb is used, so that ``--help`` and a mistyped option answer at once. Exit codes:
0 done, 1 failed, 2 usage or configuration, 3 not converged in time, 4 authentication, 5 place unreachable.
"""

from __future__ import annotations

import importlib
import sys

import click

from cai_deploy import __version__

VERBS = {
    "launch": "Bring the cluster up, or to its specification.",
    "plan": "Show what launch would change, and change nothing.",
    "status": "Show the cluster's nodes and how to connect.",
    "scale": "Change the number of workers.",
    "deploy": "Bring code, environment and cluster to the newest commit.",
    "down": "Remove the cluster.",
    "logs": "Show what nodes have written.",
    "render": "Show the launcher scripts.",
    "config": "Show or check the specification.",
    "workspace": "Run the local workspace: start, stop, status, env, logs.",
}


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"cai_deploy.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cai_deploy")
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


def run() -> None:
    """The entry point: show our own errors as what, why and next step, and answer with their exit code."""
    from cai_deploy.cli.output import show_error
    from cai_deploy.errors import DeployError

    try:
        cli.main(standalone_mode=False)
    except DeployError as error:
        show_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)
