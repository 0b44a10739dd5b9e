"""What a place cannot do of what a specification asks, each said in a sentence with what to write instead.

Pure. What the hosts of a place of SSH lack is known to ``ssh_hosts.py``, and what jobs of Slurm may ask to
``slurm_options.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cai_deploy import ssh_hosts

if TYPE_CHECKING:
    from cai_deploy.spec.cluster import ClusterSpec


def problems(spec: ClusterSpec) -> list[str]:
    """Everything that the place of ``spec`` cannot do."""
    return [*_OF_PLACE[spec.place](spec), *_of_groups(spec), *_by_the_clock(spec), *_of_schedule(spec)]


def _of_groups(spec: ClusterSpec) -> Iterator[str]:
    for group in spec.groups:
        try:
            spec.slurm.under(group.slurm)
        except ValidationError as error:
            yield f"slurm of {group.name}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"


def _by_the_clock(spec: ClusterSpec) -> Iterator[str]:
    """What happens while nobody is there needs somebody who looks: the watchdog."""
    asked = {
        "idle.scale_down_after": spec.idle.scale_down_after,
        "idle.stop_after": spec.idle.stop_after,
        "expires_at": spec.expires_at,
        "lifetime": spec.lifetime,
    }
    names = ", ".join(name for name, value in asked.items() if value is not None)
    if names and (spec.place != "cai" or spec.watchdog is None):
        yield f"{names}: {_NOBODY_LOOKS[spec.place]}"


def _of_schedule(spec: ClusterSpec) -> Iterator[str]:
    """Jobs by the clock are a workspace's."""
    if spec.place != "cai" and spec.schedule.entries:
        yield f"schedule: not on {spec.place}, which has no jobs by the clock; have cron call `python -m cai_deploy`"


_NOBODY_LOOKS = {
    "cai": "only the watchdog sees to that; add `watchdog: {}`",
    "slurm": "not on slurm; use `slurm.idle` and the time limit `slurm.time`",
    "ssh": "not on ssh, where nobody looks by the clock",
    "compose": "not on compose, where nobody looks by the clock",
}


def _of_slurm(spec: ClusterSpec) -> Iterator[str]:
    if spec.watchdog is not None:
        yield "watchdog: there is none on slurm; `slurm.idle` ends an idle head, `slurm.requeue` brings jobs back"
    if spec.launch_with == "inline":
        yield "launch_with: a job of slurm runs a launcher; use launch_with: script"


def _of_compose(spec: ClusterSpec) -> Iterator[str]:
    if spec.watchdog is not None:
        yield "watchdog: there is none on compose; Docker itself starts a container again that ends"
    if spec.launch_with == "inline":
        yield "launch_with: a container runs a launcher; use launch_with: script"


def _of_ssh(spec: ClusterSpec) -> Iterator[str]:
    asked = {"watchdog": spec.watchdog, "tls": spec.tls, "launch_with: inline": spec.launch_with == "inline"}
    yield from ssh_hosts.problems(spec.hosts, [group.name for group in spec.groups], asked)


_OF_PLACE = {"cai": lambda _: (), "slurm": _of_slurm, "compose": _of_compose, "ssh": _of_ssh}
