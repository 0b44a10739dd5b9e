"""Receives a visitor: signed in? a form of ours? which page? Every answer leaves with the same strict headers.

What is on a page is decided in ``pages``, what a button does in ``actions``.
"""

from __future__ import annotations

import hmac
import logging
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.console import actions, pages
from cai_deploy.local_workspace.console.sessions import LIFETIME, Sessions, same_origin
from cai_deploy.local_workspace.console.usage import Gauge
from cai_deploy.local_workspace.console.visit import Visit, see_other
from cai_deploy.local_workspace.handoff import GUESTS, OPEN
from cai_deploy.local_workspace.routes.http import WORKSPACE

log = logging.getLogger("local_workspace.console")

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASSETS = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Desk:
    """The console of one workspace."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._sessions = Sessions()
        self._gauge = Gauge()
        # Cookies know hosts, not ports: two workspaces on one machine must not share one.
        self._cookie = f"cai_console_{app[WORKSPACE].port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The page, or whatever else the request deserves."""
        try:
            response = await self._answer(request)
        except rules.Refused as refusal:
            response = pages.sorry(request, int(refusal.status), refusal.message)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            log.exception("console: %s %s failed", request.method, request.path)
            response = pages.sorry(request, 500, "Something went wrong. The workspace's log says what.")
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "POST"):
            return pages.sorry(request, 405, "That is not done here.")
        if request.path.startswith("/console/static/"):
            return _asset(request)
        if request.method == "POST" and not same_origin(request.headers.get("Origin"), request.host):
            return pages.sorry(request, 403, "This form does not come from the console.")
        token = request.cookies.get(self._cookie, "")
        session = self._sessions.find(token)
        if request.path == "/login":
            return await self._login(request)
        if session is None:
            if request.path.startswith(f"{OPEN}/") and request.headers.get("Sec-Fetch-Site") == "cross-site":
                return pages.onwards(request, request.raw_path)
            asked = request.path if request.method == "GET" else "/"
            return see_other(f"/login?next={quote(asked)}" if asked != "/" else "/login")
        if request.method == "POST" and not session.vouches_for(str((await request.post()).get("csrf", ""))):
            return pages.sorry(request, 403, "This form is too old. Go back, reload the page and try again.")
        if request.path == "/logout" and request.method == "POST":
            self._sessions.close(token)
            request.app[GUESTS].forget(session.csrf)
            response = see_other("/login")
            response.del_cookie(self._cookie, path="/", httponly=True, samesite="Strict")
            return response
        visit = Visit(request, session, self._gauge)
        return await pages.answer(visit) if request.method == "GET" else await actions.answer(visit)

    async def _login(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return pages.login(request, _inside(request.query.get("next", "/")))
        form = await request.post()
        key, following = str(form.get("key", "")).strip(), _inside(str(form.get("next", "/")))
        if not hmac.compare_digest(key.encode(), self._app[WORKSPACE].api_key.encode()):
            return pages.login(request, following, wrong=True)
        response = see_other(quote(following))
        response.set_cookie(
            self._cookie, self._sessions.open(), path="/", httponly=True, samesite="Strict", max_age=int(LIFETIME)
        )
        return response


def _inside(path: str) -> str:
    """Only a page of the console may follow a sign-in."""
    return path if path.startswith("/console/") and not set(path) & set("\\\r\n") else "/"


def _asset(request: web.Request) -> web.Response:
    name = request.path.removeprefix("/console/static/")
    if request.method != "GET" or name not in _ASSETS:
        return pages.sorry(request, HTTPStatus.NOT_FOUND, "There is no such file.")
    body = (Path(__file__).parent / "static" / name).read_bytes()
    return web.Response(body=body, content_type=_ASSETS[name], charset="utf-8")
