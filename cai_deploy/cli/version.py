"""``--version``: of this package, of the Python that runs it, and of the Ray that a launch here would bring up.

It answers at once and always: a specification that is wrong is the business of the verbs.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from cai_deploy import RAY_VERSION


def version_option(function: Any) -> Any:
    """``--version``, for the whole command line."""
    return click.option(
        "--version",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_show,
        help="Show the versions of cai_deploy, Python and Ray, and exit.",
    )(function)


def _show(context: click.Context, parameter: click.Parameter, given: bool) -> None:  # noqa: ARG001
    if not given or context.resilient_parsing:
        return
    from cai_deploy import __version__  # looked up among what is installed

    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"cai_deploy {__version__}\nPython {python}\nRay {_ray()}")
    context.exit()


def _ray() -> str:
    from cai_deploy.cli.written import FILE, written  # only --version needs YAML

    if not FILE.is_file():
        return f"{RAY_VERSION} (the default: there is no {FILE} here)"
    stated = written(FILE)
    if stated is None:
        return f"(not known: {FILE} cannot be read)"
    return f"{stated.get('ray_version', RAY_VERSION)} (as {FILE} says)"
