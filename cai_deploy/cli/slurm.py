"""``slurm``: what there is on Slurm alone: experiments as jobs of their own that join a head, and a list of heads."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.cli.slurm_following import exit_code, follow
from cai_deploy.cli.slurm_head import check_network, guesses, running_head
from cai_deploy.cli.slurm_list import list_heads
from cai_deploy.clock import SystemClock
from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm import client_jobs
from cai_deploy.places.slurm.client_jobs import Client, Script
from cai_deploy.places.slurm.client_options import gpus_of, read_options
from cai_deploy.places.slurm.head_jobs import HeadInfo
from cai_deploy.places.slurm.queue import Queue

PATIENCE = 300.0
SCRIPT = ".py"


@click.group("slurm")
def command() -> None:
    """Run experiments on a cluster whose nodes are jobs of Slurm, and list such clusters.

    \b
    Examples:
      python -m cai_deploy slurm run 4711 train.py --seed 1
      python -m cai_deploy slurm list
    """


command.add_command(list_heads)


class Divided(click.Command):
    """A command whose arguments end where a script begins: what follows is the script's, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = next((index for index, each in enumerate(args) if each.endswith(SCRIPT)), len(args))
        ctx.meta[SCRIPT] = args[at:]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "SCRIPT.py", "[ARGUMENTS]..."]


@command.command("run", cls=Divided, context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("head_job", metavar="HEAD_JOB_ID", type=click.IntRange(1))
@click.argument("sbatch_options", nargs=-1, type=click.UNPROCESSED)
@click.option("--follow", "followed", is_flag=True, help="Show what the script writes, and end as it ends.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=PATIENCE,
    show_default=True,
    help="Seconds to wait for a head that is still starting.",
)
@click.option("--no-network-check", is_flag=True, help="Submit though this machine may not reach the head.")
@config_option
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    head_job: int,
    sbatch_options: tuple[str, ...],
    followed: bool,
    patience: float,
    no_network_check: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Run SCRIPT.py as a job that joins the cluster whose head is the job HEAD_JOB_ID, and leaves it at the end.

    Options before the script are sbatch's, those after it are the script's own. The job brings its own node (1 CPU and
    2 GB unless --cpus-per-task and --mem say otherwise), runs the script in this directory with RAY_ADDRESS set, so
    that ray.init() finds the cluster, and ends with its exit code. Before its time limit the script gets SIGUSR1.

    \b
    Examples:
      python -m cai_deploy slurm run 4711 train.py --seed 1
      python -m cai_deploy slurm run 4711 --time=2:00:00 -c 4 --mem=16G --gres=gpu:1 train.py
      python -m cai_deploy slurm run 4711 --follow evaluate.py
    """
    script = script_of(ctx.meta[SCRIPT], Path.cwd())
    asked = read_options(sbatch_options)
    queue, clock = Queue(), SystemClock()
    head, info = running_head(queue, head_job, guesses(config), patience, clock, say)
    warn_of_the_end(info)
    if not no_network_check:
        check_network(info)
    spec = client_jobs.specification(head)
    options = asked.under(spec.slurm)
    environment = client_jobs.environment_of(head, client_jobs.inherited(head))
    settings = client_jobs.settings_of(info, spec, environment, asked.shape, gpus_of(options))
    checkpoint = client_jobs.checkpoint_of(spec, options)
    client = client_jobs.prepare(head, settings, options, script, checkpoint)
    job_id = submitted(queue, client)
    node = f"{client_jobs.GROUP}-{job_id}"
    say(f"job {job_id} is submitted: {node} of the cluster {info.connection.cluster}; it writes {client.output}")
    if as_json:
        show_json({"job_id": job_id, "node": node, "output": str(client.output), "head_job": head_job})
    elif not followed:
        click.echo(job_id)
    if not followed:
        say(f"follow it: tail -F {client.output}; end it: scancel {job_id}")
        return
    say(f"Ctrl-C leaves it to run; end it: scancel {job_id}")
    ended = follow(queue, job_id, client.output, clock, say=say, write=sys.stdout.buffer)
    say(f"job {job_id}: {ended.standing.sentence if ended else 'Slurm has forgotten it'}")
    sys.exit(exit_code(ended))


def script_of(arguments: list[str], directory: Path) -> Script:
    """What is to run. Raises ConfigError when there is no such script."""
    if not arguments:
        raise ConfigError(
            "there is no script to run",
            why=f"the first argument that ends in {SCRIPT} is the script, and none does",
            next_step="python -m cai_deploy slurm run HEAD_JOB_ID [options of sbatch] SCRIPT.py [arguments]",
        )
    path, *more = arguments
    if not (directory / path).is_file():
        raise ConfigError(f"there is no script {path} in {directory}", next_step="name one that is on the shared disk")
    return Script(path, tuple(more), directory)


def submitted(queue: Queue, client: Client) -> int:
    """The number of the client's job; its script goes when Slurm does not take it."""
    try:
        return queue.submit(client.submission)
    except BaseException:
        client.submission.script.unlink(missing_ok=True)
        raise


def warn_of_the_end(info: HeadInfo) -> None:
    """Say that a head is about to end, for a script that may take longer."""
    head = info.connection
    if head.warned_at:
        goes_on = f"; job {head.successor} goes on from it" if head.successor else ", and its cluster with it"
        say(f"warning: this head ends at {head.expires_at or 'its time limit'}{goes_on}")
