"""The door of the head's HTTP port: shows a person's browser where to put the token, and lets in who has put it there.

A program shows the token with every request, a browser once: then a cookie does it, the one that Ray's dashboard takes
too. As a browser sends a cookie whoever made it ask, what a cookie opens is opened to our own pages alone: applications
of others live next door, under names of the same site, where no SameSite keeps them out.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from cai_deploy.access import AUTHORIZATION
from cai_deploy.node.web.guard import COOKIE, Guard, shows_something
from cai_deploy.node.web.headers import is_websocket
from cai_deploy.node.web.sign_in_page import sign_in_page
from cai_deploy.node.web.web_page import html_answer, wants_html

SIGN_IN = "/cai-deploy/sign-in"
SIGN_OUT = "/cai-deploy/sign-out"
AUTHENTICATE = ("/api/authenticate", "/dashboard/api/authenticate")
"""Where the dashboard's own page asks for the cookie. Ray's answer would not know that it is https outside."""

NOT_ADMITTED = "the cluster's token is missing or wrong; show it as X-Ray-Authorization: Bearer TOKEN"
FROM_ELSEWHERE = "this request comes from a page of another site"

COOKIE_LIVES = 30 * 24 * 3600
LARGEST_FORM = 16 * 1024
WRONG_COSTS = 0.5
"""Seconds until somebody with a wrong token hears so."""

MOST_WRONG = 20
"""So many may be waiting for that at once."""

HARMLESS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class Door:
    """Guarded by ``guard``, for the cluster of this name."""

    def __init__(self, guard: Guard, cluster: str) -> None:
        self._guard = guard
        self._cluster = cluster
        self._wrong = asyncio.Semaphore(MOST_WRONG)

    async def refusal(self, request: web.Request) -> web.Response | None:
        """Why this request does not come in; None when it does."""
        if self._guard.admits(request.headers, {}):
            return None
        if not self._guard.admits({}, request.cookies):
            return await self._refused(request)
        if _may_change_something(request) and not from_our_page(request):
            return web.json_response({"error": FROM_ELSEWHERE}, status=HTTPStatus.FORBIDDEN)
        return None

    def shown_by_program(self, request: web.Request) -> bool:
        """Whether the token is in a header, where no browser puts it by itself."""
        return self._guard.admits(request.headers, {})

    async def sign_in(self, request: web.Request) -> web.Response:
        """The form's answer: the cookie, and back to the page that was asked for."""
        if not from_our_page(request):
            return self._form(request, "/", HTTPStatus.FORBIDDEN, "The form does not come from this page. Try again.")
        form = await request.clone(client_max_size=LARGEST_FORM).post()
        following = local_path(str(form.get("next", "")))
        if not self._guard.knows(str(form.get("token", "")).strip()):
            return await self._late(self._form(request, following, HTTPStatus.UNAUTHORIZED, "This is not the token."))
        answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": following})
        self._give(request, answer)
        return answer

    async def sign_out(self, request: web.Request) -> web.Response:
        """Take the cookie back."""
        if not from_our_page(request):
            return web.json_response({"error": FROM_ELSEWHERE}, status=HTTPStatus.FORBIDDEN)
        answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        answer.del_cookie(COOKIE, path="/")
        return answer

    async def authenticate(self, request: web.Request) -> web.Response:
        """What the dashboard's own dialog asks, answered as Ray answers it."""
        shown = request.headers.get(AUTHORIZATION, "")
        if not shown:
            return web.Response(status=HTTPStatus.UNAUTHORIZED, text="Unauthorized: Missing authentication token")
        if self._guard.open or not self._guard.admits({AUTHORIZATION: shown}, {}):
            return await self._late(web.Response(status=HTTPStatus.FORBIDDEN, text="Forbidden: Invalid token"))
        answer = web.json_response({"status": "authenticated", "message": "Token is valid"})
        self._give(request, answer)
        return answer

    async def _refused(self, request: web.Request) -> web.Response:
        if wants_html(request):
            return self._form(request, request.raw_path, HTTPStatus.UNAUTHORIZED)
        refused = web.json_response({"error": NOT_ADMITTED}, status=HTTPStatus.UNAUTHORIZED)
        refused.headers["WWW-Authenticate"] = "Bearer"
        return await self._late(refused) if shows_something(request.headers, request.cookies) else refused

    async def _late(self, answer: web.Response) -> web.Response:
        if self._wrong.locked():
            return web.json_response(
                {"error": "too many wrong tokens at once"},
                status=HTTPStatus.TOO_MANY_REQUESTS,
                headers={"Retry-After": "1"},
            )
        async with self._wrong:
            await asyncio.sleep(WRONG_COSTS)
        return answer

    def _form(self, request: web.Request, following: str, status: HTTPStatus, wrong: str = "") -> web.Response:
        text = sign_in_page(self._cluster, SIGN_IN, local_path(following), wrong)
        return html_answer(text if request.method != hdrs.METH_HEAD else "", status)

    def _give(self, request: web.Request, answer: web.Response) -> None:
        shown = request.headers.get("X-Forwarded-Proto", request.scheme)
        answer.set_cookie(
            COOKIE,
            self._guard.token,
            max_age=COOKIE_LIVES,
            path="/",
            httponly=True,
            # Strict would ask for the token again whenever somebody follows a link to the cluster.
            samesite="Lax",
            secure=shown.split(",")[0].strip().lower() == "https",
        )


def from_our_page(request: web.Request) -> bool:
    """Whether a browser says that a page of ours made it ask; a request that does not say is not believed."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site.lower() == "same-origin"
    ours = {request.host, request.headers.get("X-Forwarded-Host", request.host)}
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc in ours


def local_path(path: str) -> str:
    """``path`` if it leads to a page here, "/" if it may lead elsewhere."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def _may_change_something(request: web.Request) -> bool:
    return request.method not in HARMLESS or is_websocket(request.headers)
