"""The cluster as its head tells it in one answer: nodes, jobs, what befell them. It knows an Access, and no place.

Only what is needed is read, and leniently: a head may be of another version than we are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests

from cai_deploy.access import HOST, Access
from cai_deploy.places.base import HeadRefuses, HeadSilent, NoHead

PATH = "/cai-deploy/overview"
TIMEOUT = 10.0
"""Seconds."""


@dataclass(frozen=True)
class Share:
    """How much of something a node has, and how much of it is reserved; None when that is not known."""

    total: float = 0.0
    used: float | None = None


@dataclass(frozen=True)
class Member:
    """A node as Ray sees it. Memory is in bytes; ``since`` is when it came into its state."""

    name: str
    state: str
    address: str = ""
    group: str = ""
    since: str = ""
    cpu: Share = Share()
    memory: Share = Share()
    gpu: Share = Share()


@dataclass(frozen=True)
class JobFacts:
    """A job. ``message`` is Ray's word on how it is."""

    id: str
    status: str
    entrypoint: str = ""
    message: str = ""
    started_at: str = ""
    ended_at: str = ""


@dataclass(frozen=True)
class Event:
    """What befell a node: ``kind`` is joined, left, lost, head_started or head_moved."""

    at: str
    kind: str
    node: str
    text: str


@dataclass(frozen=True)
class Overview:
    """``answers`` is whether Ray's GCS does; ``document`` is the answer as it came. Events come newest first."""

    cluster: str
    answers: bool
    epoch: int = 0
    ray_version: str = ""
    url: str = ""
    now: str = ""
    nodes: tuple[Member, ...] = ()
    jobs: tuple[JobFacts, ...] = ()
    events: tuple[Event, ...] = ()
    serve: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class Head:
    """The head behind ``access``, asked again and again over the same connection."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = requests.Session()
        self._session.auth = _keep  # else ~/.netrc would put its own in place of ours
        self._session.trust_env = HOST not in access.headers  # this machine: no proxy leads there
        self._session.verify = access.verify

    def overview(self) -> Overview:
        """The cluster now. Raises HeadSilent, HeadRefuses, or NoHead for one that cannot tell."""
        url, headers = self._access.base_url + PATH, dict(self._access.headers)
        try:
            answer = self._session.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise _silent(f"no connection, or none that lasted ({type(error).__name__})") from error
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or answer.is_redirect:
            raise HeadRefuses("the head does not let us in", why=f"status {answer.status_code}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise NoHead(
                "the head cannot tell how the cluster is",
                why="it runs an older version, or an inline command",
                next_step="python -m cai_deploy status",
            )
        try:
            fields = answer.json() if answer.ok else None
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise _silent(f"status {answer.status_code}, and no JSON object")
        return parse(fields)


def parse(fields: Mapping[str, Any]) -> Overview:
    """The overview in an answer; what is missing is left empty."""
    epoch, serve = fields.get("epoch"), fields.get("serve")
    return Overview(
        cluster=_text(fields, "cluster"),
        answers=fields.get("answers") is True,
        epoch=epoch if isinstance(epoch, int) else 0,
        ray_version=_text(fields, "ray_version"),
        url=_text(fields, "url"),
        now=_text(fields, "now"),
        nodes=tuple(_member(each) for each in _listed(fields, "nodes")),
        jobs=tuple(_job(each) for each in _listed(fields, "jobs")),
        events=tuple(Event(*(_text(each, name) for name in EVENT)) for each in _listed(fields, "events")),
        serve={str(route): str(name) for route, name in serve.items()} if isinstance(serve, dict) else {},
        document=fields,
    )


MEMBER = ("name", "state", "address", "group", "since")
EVENT = ("at", "kind", "node", "text")


def _member(fields: Mapping[str, Any]) -> Member:
    name, state, address, group, since = (_text(fields, each) for each in MEMBER)
    cpu, memory, gpu = (_share(fields.get(each)) for each in ("cpu", "memory", "gpu"))
    return Member(name, state, address, group, since, cpu, memory, gpu)


def _job(fields: Mapping[str, Any]) -> JobFacts:
    names = ("id", "status", "entrypoint", "message", "started_at", "ended_at")
    return JobFacts(**{name: _text(fields, name) for name in names})


def _share(fields: object) -> Share:
    told = fields if isinstance(fields, dict) else {}
    total, used = told.get("total"), told.get("used")
    return Share(
        float(total) if isinstance(total, (int, float)) else 0.0,
        float(used) if isinstance(used, (int, float)) else None,
    )


def _listed(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = fields.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _silent(why: str) -> HeadSilent:
    return HeadSilent("the head does not answer", why=why, next_step="python -m cai_deploy status")


def _keep(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
