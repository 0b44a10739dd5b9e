"""Where a request goes that the gateway does not answer itself: to Ray's dashboard, or to what Serve serves.

Paths are taken as they were sent, not as they may be meant: what is behind decides itself what ``%2F`` or ``..`` is.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.headers import Sender, ray_headers, served_headers
from cai_deploy.node.web.passing import Passage

DASHBOARD = "/dashboard"
SERVE = "/serve"
NOTHING_SERVED = "nothing is served yet; deploy an application of Ray Serve"


@dataclass(frozen=True)
class Ways:
    """To ``dashboard`` and ``serve`` (base URLs without a path). The ``guard`` knows what is not for Ray."""

    dashboard: str
    serve: str
    guard: Guard

    def of(self, request: web.Request) -> Passage | None:
        """The way of a request; None for one without a path."""
        path = request.raw_path if request.raw_path.startswith("/") else str(request.rel_url)
        if not path.startswith("/"):
            return None
        if path.startswith(f"{SERVE}/"):
            headers = served_headers(request.headers, _sender(request, SERVE))
            url = URL(self.serve + path.removeprefix(SERVE), encoded=True)
            return Passage(url, headers, "Ray Serve", SERVE, NOTHING_SERVED)
        prefix = DASHBOARD if path.startswith(f"{DASHBOARD}/") else ""
        headers = ray_headers(request.headers, self.guard, _sender(request, prefix))
        return Passage(
            URL(self.dashboard + path.removeprefix(prefix), encoded=True), headers, "Ray's dashboard", prefix
        )


def _sender(request: web.Request, prefix: str) -> Sender:
    return Sender(request.remote or "", request.scheme, prefix)
