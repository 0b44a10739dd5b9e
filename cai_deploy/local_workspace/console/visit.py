"""One request of somebody who has signed in, and what every page needs: records by id, a template, a way back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.console import views
from cai_deploy.local_workspace.console.sessions import Session
from cai_deploy.local_workspace.console.usage import Gauge
from cai_deploy.local_workspace.routes.http import WORKSPACE
from cai_deploy.local_workspace.store import Record
from cai_deploy.local_workspace.workspace import Workspace


@dataclass
class Visit:
    """Who looks, and at what."""

    request: web.Request
    session: Session
    gauge: Gauge
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        """The workspace that is looked at."""
        return self.request.app[WORKSPACE]

    def record(self, kind: str) -> Record:
        """The record of this kind that the path names, within the project that it names."""
        project_id = self.workspace.require("project", self.parts["project"]).id
        found = self.workspace.require(kind, self.parts[kind], project_id)
        if kind == "run" and found.inner["job_id"] != self.parts["job"]:
            raise rules.not_found(f"run {found.id}")
        return found

    def page(self, template: str, **values: Any) -> web.Response:
        """A page with the frame that all of them share."""
        faults = self.workspace.faults
        standing = [each for each in faults.all() if not faults.is_over(each)]
        frame = {"csrf": self.session.csrf, "standing_faults": len(standing), "path": self.request.path}
        return html(template, 200, self.workspace, **frame, **values)


Answer = Callable[[Visit], Awaitable[web.StreamResponse]]
Table = list[tuple[re.Pattern[str], Answer]]


def table(*rows: tuple[str, Answer]) -> Table:
    """Paths with ``{name}`` for an id and ``{path}`` for the rest of the path, as something to match with."""
    made = []
    for path, answer in rows:
        pattern = re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{'.*' if name[1] == 'path' else '[^/]+'})", path)
        made.append((re.compile(pattern), answer))
    return made


async def find(rows: Table, visit: Visit) -> web.StreamResponse:
    """Answer with the row whose path it is."""
    for pattern, answer in rows:
        if match := pattern.fullmatch(visit.request.path):
            visit.parts = match.groupdict()
            return await answer(visit)
    raise rules.not_found("this page")


def html(template: str, code: int, workspace: Workspace, **values: Any) -> web.Response:
    """A rendered template; every value in it is escaped."""
    frame = {"csrf": "", "standing_faults": 0, "path": "", "port": workspace.port}
    text = _templates().get_template(template).render({**frame, **values})
    return web.Response(text=text, status=code, content_type="text/html", charset="utf-8")


def see_other(path: str) -> web.Response:
    """After a post: look there."""
    return web.Response(status=303, headers={"Location": path})


@lru_cache(1)
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (views.state_word, views.tone, views.ago, views.lasted, views.size):
        made.filters[filter_.__name__] = filter_
    return made
