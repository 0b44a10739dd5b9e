"""``submit``: a command and a directory become a job of the cluster, followed to its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.cli.watching import end_as, follow_to_the_end
from cai_deploy.errors import ConfigError
from cai_deploy.session import open_session
from cai_deploy.submission.follow import Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Request
from cai_deploy.submission.preparation import BUDGET, Wish
from cai_deploy.submission.ray_jobs import open_jobs
from cai_deploy.submission.runtime_env import read_runtime_env, read_variables
from cai_deploy.submission.sending import send
from cai_deploy.submission.submit import already_there, entrypoint_of, new_id

GIGABYTE = 1024**3
PATH = click.Path(path_type=Path)


@click.command("submit", context_settings={"allow_interspersed_args": False})
@click.argument("command_line", metavar="-- COMMAND...", nargs=-1, required=True)
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@click.option(
    "--working-dir", type=PATH, help="What goes along. Default: that of --runtime-env, or else this directory."
)
@click.option("--runtime-env", type=PATH, help="Ray's runtime environment, as YAML.")
@click.option(
    "--env", multiple=True, metavar="NAME[=VALUE]", help="A variable; without a value that which is set here."
)
@click.option("--wheel", "wheels", multiple=True, type=PATH, help="A wheel that goes along and is installed.")
@click.option("--build-wheels", is_flag=True, help="Build the project in the working directory, and install that.")
@click.option("--uv", multiple=True, metavar="REQUIREMENT", help="To install by uv: a requirement, or a file of them.")
@click.option(
    "--pip", multiple=True, metavar="REQUIREMENT", help="To install by pip: a requirement, or a file of them."
)
@click.option("--include", multiple=True, metavar="PATTERN", help="Take along what looks like a secret.")
@click.option("--max-size", type=click.FloatRange(0), default=BUDGET, show_default=True, help="Megabytes, unpacked.")
@click.option("--num-cpus", type=click.FloatRange(0), default=0.0, help="CPUs for the command itself. Default: none.")
@click.option("--num-gpus", type=click.FloatRange(0), default=0.0, help="GPUs for the command itself. Default: none.")
@click.option("--memory-gb", type=click.FloatRange(0), default=0.0, help="Memory for the command itself.")
@click.option("--resource", "resources", multiple=True, metavar="NAME=AMOUNT", help="Another resource for it.")
@click.option("--on-head", is_flag=True, help="Run the command on the head, where it dies with it.")
@click.option("--submission-id", help="The job's id. The same command with the same id is submitted once.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="What is noted beside the job.")
@click.option(
    "--patience",
    type=click.FloatRange(1),
    default=Pace.patience,
    show_default=True,
    help="Seconds to wait for a head that is away.",
)
@config_option
@json_option
def command(config: Path | None, as_json: bool, **given: Any) -> None:
    """Run COMMAND on the cluster, with this directory, and end as it ends.

    What git tracks or would track goes along. The command runs on a worker, where it outlives the head; its output
    comes on stdout. Ctrl-C asks whether to leave it or to stop it. Exit codes: the command's own; 143 for a job that
    was stopped, 130 when you left it, 5 when the head did not come back.

    \b
    Examples:
      python -m cai_deploy submit -- python train.py --seed 1
      python -m cai_deploy submit --no-wait --env HF_TOKEN --uv requirements.txt -- python train.py
      python -m cai_deploy submit --build-wheels --num-gpus 1 -- python -m my_package
    """
    wish, asked = wish_of(given), request_of(given)
    session = open_session(config)
    jobs = open_jobs(session.access(patience=given["patience"]))
    found = already_there(jobs, asked.id, asked.entrypoint) if given["submission_id"] else None
    if found is None:
        found = send(jobs, wish, asked, say=say, patience=given["patience"], on_head=given["on_head"])
    if found:
        say(f"nothing to do: job {found.id} was submitted already, it is {found.status}")
    if given["no_wait"]:
        leave(asked.id, found, as_json=as_json)
    elif found and found.ended:
        end_as(found, as_json=as_json)
    else:
        follow_to_the_end(jobs, asked.id, as_json=as_json, patience=given["patience"])


def leave(job_id: str, found: Job | None, *, as_json: bool) -> None:
    """What a script needs to come back."""
    if as_json:
        show_json(found.document() if found else {"submission_id": job_id, "status": "PENDING"})
    else:
        click.echo(job_id)


def wish_of(given: Mapping[str, Any]) -> Wish:
    """What is to be sent, from the options. Raises ConfigError."""
    runtime_env = read_runtime_env(given["runtime_env"]) if given["runtime_env"] else {}
    return Wish(
        working_dir=given["working_dir"],
        runtime_env=runtime_env,
        env=read_variables(given["env"], os.environ),
        wheels=given["wheels"],
        build=given["build_wheels"],
        uv=given["uv"],
        pip=given["pip"],
        include=given["include"],
        num_cpus=given["num_cpus"],
        max_size=given["max_size"],
    )


def request_of(given: Mapping[str, Any]) -> Request:
    """What Ray is told of the job, as far as the options say it. Raises ConfigError."""
    return Request(
        given["submission_id"] or new_id(),
        entrypoint_of(given["command_line"]),
        num_cpus=given["num_cpus"],
        num_gpus=given["num_gpus"],
        memory=int(given["memory_gb"] * GIGABYTE),
        resources={name: amount(name, value) for name, value in pairs("--resource", given["resources"]).items()},
        metadata=pairs("--metadata", given["metadata"]),
    )


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE``, several of them."""
    found = {}
    for each in given:
        name, told, value = each.partition("=")
        if not name or not told:
            raise ConfigError(f"{option} takes NAME=VALUE, not {each!r}")
        found[name] = value
    return found


def amount(name: str, value: str) -> float:
    """How much of the resource ``name``."""
    try:
        return float(value)
    except ValueError as error:
        raise ConfigError(f"--resource {name}: {value!r} is not a number") from error
