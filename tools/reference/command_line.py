"""The page of the command line: every command with its help, its examples and its options, as click knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from cai_deploy.cli import VERBS, cli
from tools.reference.markdown import MADE, code, table

HEAD = """# The command line

Each command has this page's text behind `--help`. `python -m cai_deploy` and `cai-deploy` are the same. Data goes to
stdout, the story to stderr; [exit codes](exit-codes.md) and [variables](environment-variables.md) have pages of their own.
"""

WIDE = 10_000
"""Characters, so that click breaks no line."""


def page() -> str:
    """The whole page."""
    verbs = table(("command", ""), ((f"[`{name}`](#{name})", told) for name, told in VERBS.items()))
    context = click.Context(cli, info_name="cai_deploy", terminal_width=WIDE, max_content_width=WIDE)
    parts = [MADE, HEAD, verbs, "Options for all of them, before the command:\n", _options(cli, context)]
    for name in VERBS:
        command = cli.get_command(context, name)
        if command is None:
            raise LookupError(name)
        parts += _command(command, name, context, "##")
    return "\n".join(part for part in parts if part)


def _command(command: click.Command, name: str, above: click.Context, level: str) -> Iterator[str]:
    """A command, and those below it."""
    context = click.Context(command, info_name=name, parent=above, terminal_width=WIDE, max_content_width=WIDE)
    path = context.command_path.removeprefix("cai_deploy ")
    yield f"{level} {path}\n"
    yield code("text", f"python -m cai_deploy {path} {' '.join(command.collect_usage_pieces(context))}".rstrip())
    told, _, examples = (command.help or "").partition("Examples:\n")
    yield _paragraphs(told.replace("\b", ""))
    yield _options(command, context)
    if examples:
        yield code("bash", "\n".join(line.strip() for line in examples.splitlines()))
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            if inner is not None:
                yield from _command(inner, below, context, f"{level}#")


def _paragraphs(text: str) -> str:
    """Each on a line of its own, as Markdown breaks lines itself; what is in capitals stays an argument's name."""
    return "\n\n".join(" ".join(each.split()) for each in re.split(r"\n\s*\n", text) if each.strip()) + "\n"


def _options(command: click.Command, context: click.Context) -> str:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [(f"`{names}`", told) for names, told in filter(None, records) if "--help" not in names]
    return table(("option", ""), rows) if rows else ""
