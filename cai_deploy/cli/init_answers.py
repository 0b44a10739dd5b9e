"""What ``init`` is told or asked, and how a specification's file comes of it. Only ``ask`` speaks to anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cai_deploy import shipped
from cai_deploy.spec import ClusterSpec
from cai_deploy.spec.writing import with_value

PLACES = ("cai", "slurm", "compose", "ssh")

HEADER = """\
# One Ray cluster, for cai_deploy. Each key stands here with its default, but for those that init was told.
# Check this file with:  python -m cai_deploy config --validate
# and what it needs with:  python -m cai_deploy doctor
"""
WORKSPACE = """\
# Which workspace it is, and the key to it, are no part of this file:
#   export CML_HOST={host}
#   export CML_API_KEY=...   (an API v2 key: User Settings > API Keys)
"""


@dataclass(frozen=True)
class Answers:
    """What is known of the wanted cluster; None is what nobody said."""

    place: str | None = None
    project: str | None = None
    workers: int | None = None
    cpu: float | None = None
    memory: float | None = None
    gpu: int | None = None
    runtime: str | None = None
    hosts: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The workspace's address, "" when nobody said it."""
        return self.hosts[0] if self.hosts and self.place in (None, "cai") else ""

    def values(self) -> Iterator[tuple[tuple[str | int, ...], Any]]:
        """Where each of them stands in a specification."""
        group = ("workers", 0)
        places: tuple[tuple[tuple[str | int, ...], Any], ...] = (
            (("place",), self.place),
            (("project", "name"), self.project),
            ((*group, "replicas"), self.workers),
            (("head", "cpu"), self.cpu),
            ((*group, "cpu"), self.cpu),
            (("head", "memory_gb"), self.memory),
            ((*group, "memory_gb"), self.memory),
            ((*group, "gpu"), self.gpu),
            (("head", "runtime"), self.runtime),
            ((*group, "runtime"), self.runtime),
            (("hosts",), [{"address": host} for host in self.hosts] if self.place == "ssh" else None),
        )
        yield from ((place, _short(value)) for place, value in places if value is not None)


def written(answers: Answers, host: str) -> str:
    """The annotated file that says what was answered."""
    example = shipped.find(shipped.EXAMPLE).read_text(encoding="utf-8")
    _, _, text = example.partition("\n\n")  # its first lines are about the example itself
    for location, value in answers.values():
        text = with_value(text, location, value)
    workspace = WORKSPACE.format(host=host or "https://<domain of the workspace>") if answers.place == "cai" else ""
    return f"{HEADER}{workspace}\n{text}"


def differing(answers: Answers, spec: ClusterSpec) -> list[str]:
    """Where a specification says other than what was answered."""
    document = spec.model_dump(mode="json")
    told = []
    for location, value in answers.values():
        there = _at(document, location)
        if location == ("hosts",):
            there = [{"address": host["address"]} for host in there]
        if there != value:
            path = ".".join(str(part) for part in location if part != 0)
            told.append(f"{path} is {there}, and {value} is asked for")
    return told


def ask(known: Answers, guesses: Answers, offered: Callable[[], list[str]]) -> Answers:
    """What is not known yet, from the person at the terminal; ``offered`` are the runtimes of the workspace."""

    def about(text: str, default: Any, kind: Any = None) -> Any:
        return click.prompt(text, default=default, type=kind, err=True)

    place = known.place or about("place", guesses.place, click.Choice(PLACES))
    answers = replace(known, place=place)
    if place == "cai" and not known.hosts and (host := about("address of the workspace", guesses.host or "local")):
        answers = replace(answers, hosts=() if host == "local" else (host,))
    if place == "ssh" and not known.hosts:
        hosts = about("addresses of the hosts, with commas", None)
        answers = replace(answers, hosts=tuple(host.strip() for host in hosts.split(",") if host.strip()))
    if place == "cai" and known.project is None:
        answers = replace(answers, project=about("project", guesses.project))
    counts: Mapping[str, tuple[str, Any]] = {
        "workers": ("workers", click.IntRange(0, 10_000)),
        "cpu": ("vCPU of each node", click.FloatRange(0, 1024, min_open=True)),
        "memory": ("memory of each node, in GB", click.FloatRange(0, 16_384, min_open=True)),
        "gpu": ("GPUs of each worker", click.IntRange(0, 64)),
    }
    for name, (text, kind) in counts.items():
        if getattr(known, name) is None:
            answers = replace(answers, **{name: about(text, getattr(guesses, name), kind)})
    if place == "cai" and known.runtime is None and (images := offered()):
        newest = "newest"
        image = about("runtime", newest, click.Choice([newest, *images]))
        answers = replace(answers, runtime=None if image == newest else image)
    return answers


def project_named_after(directory: Path, remote: str) -> str:
    """A project's name for a checkout: that of its repository, or of its directory."""
    name = remote.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
    return (name or directory.name or "ray")[:100]


def _at(document: Any, location: tuple[str | int, ...]) -> Any:
    for part in location:
        try:
            document = document[part]
        except (KeyError, IndexError):
            return None
    return document


def _short(value: Any) -> Any:
    """2 for 2.0, as people write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
