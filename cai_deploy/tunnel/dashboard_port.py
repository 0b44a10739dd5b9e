"""A port on this machine for the dashboard and the Jobs API: requests pass to the head with all that opens the cluster.

So it is open to this user's programs alone, and to no page of another site that their browser shows: such a page may
have a name that leads to this machine, or send a form here. Cookies stay here as well, as a browser shares those of
this machine among all its ports.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from cai_deploy.access import AUTHORIZATION, HOST, RAY_AUTHORIZATION, Access
from cai_deploy.node.web.headers import HOP_BY_HOP
from cai_deploy.node.web.passing import Passage, Passing
from cai_deploy.tunnel.peers import is_ours

NAMES = frozenset({"127.0.0.1", "localhost"})
"""By which this port may be called."""

NOT_PASSED = HOP_BY_HOP | {
    name.lower() for name in (HOST, AUTHORIZATION, RAY_AUTHORIZATION, "Cookie", "Origin", "Referer")
}
ELSEWHERE = frozenset({"cross-site", "same-site"})
"""What a browser says of requests that another page made; another port of this machine is the same site."""


class DashboardPort:
    """Passes requests on to the head behind ``access``."""

    def __init__(self, access: Access, session: aiohttp.ClientSession) -> None:
        self._access = access
        self._passing = Passing(_excuse, session)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the head answers; 403 for those who have no business here."""
        why = stranger(request)
        if why:
            return _excuse(request, HTTPStatus.FORBIDDEN, why)
        path = request.raw_path if request.raw_path.startswith("/") else str(request.rel_url)
        url = URL(self._access.base_url + path, encoded=True)
        return await self._passing.pass_on(request, Passage(url, self._headers(request), "the head"))

    def _headers(self, request: web.Request) -> CIMultiDict[str]:
        named = {
            word.strip().lower() for value in request.headers.getall("Connection", []) for word in value.split(",")
        }
        kept = ((name, value) for name, value in request.headers.items() if name.lower() not in NOT_PASSED | named)
        return CIMultiDict([*kept, *self._access.headers.items()])


def stranger(request: web.Request) -> str:
    """Why a request is none of this user's own, "" when it is."""
    own, peer = _address(request, "sockname"), _address(request, "peername")
    if own is None or peer is None or not is_ours(peer[1], own[1]):
        return "this port is open to another user"
    if not _names_us(f"//{request.host}", own[1]):
        return "this port is called by another name; use http://127.0.0.1"
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and not _names_us(origin, own[1]):
        return "this request comes from a page of another site"
    fetch = {name: request.headers.get(f"Sec-Fetch-{name}", "") for name in ("Site", "Mode")}
    went = request.method == hdrs.METH_GET and fetch["Mode"] == "navigate"  # somebody followed a link
    return "this request comes from a page of another site" if fetch["Site"] in ELSEWHERE and not went else ""


def _names_us(url: str, port: int) -> bool:
    try:
        parts = urlsplit(url)
        named = (parts.hostname, parts.port)
    except ValueError:
        return False
    return named[0] in NAMES and named[1] == port


def _address(request: web.Request, which: str) -> tuple[str, int] | None:
    address = request.transport.get_extra_info(which) if request.transport else None
    return (str(address[0]), int(address[1])) if address else None


def _excuse(request: web.Request, status: HTTPStatus, why: str) -> web.Response:  # noqa: ARG001
    return web.json_response({"error": why}, status=status)
