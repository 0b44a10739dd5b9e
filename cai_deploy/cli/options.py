"""The options that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cai_deploy.reconcile import PARALLELISM
from cai_deploy.ssh_hosts import ACCEPT_NEW

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


def markdown_option(function: Function) -> Function:
    """``--markdown``: for where GitHub, or whoever else, shows text to people."""
    return click.option("--markdown", is_flag=True, help="Print Markdown, for a job's summary or a comment.")(function)


def workers_option(function: Function) -> Function:
    """``--workers``: the replicas of the first group."""
    return click.option("--workers", type=click.IntRange(0, 10_000), help="The number of workers in the first group.")(
        function
    )


def parallelism_option(function: Function) -> Function:
    """``--parallelism``: how hard the workspace is asked."""
    return click.option(
        "--parallelism",
        type=click.IntRange(1, 100),
        default=PARALLELISM,
        show_default=True,
        help="Calls under way at once; fewer while the workspace asks for patience.",
    )(function)


def rollback_option(function: Function) -> Function:
    """``--rollback``: the last specification that was reached."""
    return click.option(
        "--rollback",
        is_flag=True,
        help="Go back to the specification that the cluster last reached, environment included.",
    )(function)


def host_keys_option(function: Function) -> Function:
    """``--accept-new-host-keys``: whether hosts are trusted that SSH meets for the first time."""
    return click.option(
        "--accept-new-host-keys",
        is_flag=True,
        expose_value=False,
        callback=_accept_new_host_keys,
        help="With hosts over SSH: trust those that are met for the first time.",
    )(function)


def _accept_new_host_keys(context: click.Context, parameter: click.Parameter, given: bool) -> None:  # noqa: ARG001
    """For this process, as the variable does it for all."""
    if given:
        os.environ[ACCEPT_NEW] = "1"


def inline_option(function: Function) -> Function:
    """``--inline``: no scripts."""
    return click.option(
        "--inline", is_flag=True, help="Run `ray start` commands as the applications' scripts, without launcher files."
    )(function)
