"""``completion``: the script by which a shell completes this command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "cai-deploy"
VARIABLE = "_CAI_DEPLOY_COMPLETE"
"""By which the script asks the program: click makes it from the program's name."""

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes verbs, options, groups and nodes of `cai-deploy`.

    \b
    Examples:
      eval "$(python -m cai_deploy completion bash)"
      python -m cai_deploy completion zsh >> ~/.zshrc
      python -m cai_deploy completion fish > ~/.config/fish/completions/cai-deploy.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
