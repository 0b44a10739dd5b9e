"""Following the logs of a cluster's nodes: new lines as they come, and a word when a node goes, returns, or moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click

from cai_deploy.cli.output import say
from cai_deploy.errors import DeployError
from cai_deploy.logs import Follower, RayFollower, nodes_of
from cai_deploy.overview import Event, Head
from cai_deploy.places.base import NodeLogs
from cai_deploy.session import Session

SHORTEST, LONGEST = 1.0, 4.0
"""Seconds between two looks: fewer when something came, more when nothing did."""

NODES_EVERY = 4.0
"""Seconds between two looks at what befell the nodes."""


@dataclass(frozen=True)
class Shown:
    """What was shown of a node. ``end`` is the byte after it; ``known`` are all lines of its Ray's logs."""

    node: str
    lines: Sequence[str]
    end: int = 0
    known: Sequence[str] = field(default_factory=tuple)


def follow(
    session: Session, logs: NodeLogs, shown: Sequence[Shown], *, of_ray: bool, joined_by: Callable[[str], bool]
) -> None:
    """Until Ctrl-C, which is no failure. ``joined_by`` says which nodes that are yet to come are followed too."""
    follower = (
        RayFollower(logs, {each.node: each.known for each in shown})
        if of_ray
        else Follower(logs, {each.node: each.end for each in shown})
    )
    names = [each.node for each in shown]
    fate = Fate(session)
    pause, away = SHORTEST, False
    try:
        while True:
            try:
                sizes = logs.sizes()
                names += [name for name in nodes_of(sizes) if name not in names and joined_by(name)]
                news = list(follower.news(sizes, names))
            except DeployError as error:
                if not error.retry_helps:
                    raise
                if not away:
                    say(f"{error}; looking again")
                news, away = [], True
            else:
                away = False
            for event in fate.news():
                if event.node in names or joined_by(event.node):
                    say(f"{event.at}  {event.text}")
            for node, lines in news:
                for line in lines:
                    click.echo(f"{node:<12} | {line}" if len(names) > 1 else line)
            pause = SHORTEST if news else min(pause * 1.3, LONGEST)
            time.sleep(pause)
    except KeyboardInterrupt:
        return


class Fate:
    """What befalls the cluster's nodes from now on, as its head tells it; nothing while there is no head to ask."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._head: Head | None = None
        self._known: set[Event] | None = None
        self._next = 0.0

    def news(self) -> list[Event]:
        """What happened since the last time, in order. Never raises: the logs are what is wanted."""
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + NODES_EVERY
        try:
            self._head = self._head or Head(self._session.access())
            events = self._head.overview().events
        except DeployError:
            self._head = None
            return []
        known, self._known = self._known, {*(self._known or ()), *events}
        return [] if known is None else [event for event in reversed(events) if event not in known]
