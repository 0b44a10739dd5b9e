"""Every command's help has examples, and they are what the command takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from cai_deploy.cli import cli

EXAMPLE = re.compile(r"python -m cai_deploy ([^;)>]*)")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = {"": cli, **dict(commands(cli))}


@pytest.mark.parametrize("path", ALL)
def test_every_help_ends_in_examples_that_the_command_takes(path: str) -> None:
    command = ALL[path]
    _, mark, block = (command.help or "").partition("Examples:\n")
    assert mark, "no examples"
    examples = [example for line in block.splitlines() for example in EXAMPLE.findall(line)]
    assert examples
    of_this = [words for example in examples if (words := shlex.split(example))[: len(path.split())] == path.split()]
    assert of_this, f"none of them is of {path}"
    for words in of_this:
        takes(cli, words)


def takes(command: click.Command, words: list[str]) -> None:
    """Parses ``words`` as the command line does, and carries nothing out."""
    context = command.make_context("cai-deploy", list(words), resilient_parsing=False)
    if isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None, name
        takes(inner, rest)
