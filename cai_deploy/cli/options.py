"""The options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def config_option(function: Function) -> Function:
    """``--config``: the specification's file."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The specification. Default: cai-deploy.yaml here, or else what the cluster was last launched with.",
    )(function)


def json_option(function: Function) -> Function:
    """``--json``: data instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def workers_option(function: Function) -> Function:
    """``--workers``: the replicas of the first group."""
    return click.option("--workers", type=click.IntRange(0, 10_000), help="The number of workers in the first group.")(
        function
    )


def inline_option(function: Function) -> Function:
    """``--inline``: no scripts."""
    return click.option(
        "--inline", is_flag=True, help="Run `ray start` commands as the applications' scripts, without launcher files."
    )(function)
