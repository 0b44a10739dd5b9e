"""How a browser comes from the console's login to an application: over to the console, and back with a ticket.

The console's cookie belongs to ``localhost`` and is not sent to ``<subdomain>.localhost``, so each application's host
gets one of its own. A program that shows the key needs none of this, and hears 401 without it.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urlsplit

from aiohttp import web

from cai_deploy.local_workspace.guests import STAYS, Guests
from cai_deploy.local_workspace.routes.http import WORKSPACE, error_response

GUESTS = web.AppKey("guests", Guests)

ENTER = "/.workspace/enter"
OPEN = "/console/open"
DOMAIN = "localhost"


def cookie_name(port: int) -> str:
    """Cookies know hosts, not ports: two workspaces on one machine must not share one."""
    return f"cai_application_{port}"


def is_ours(cookie: str) -> bool:
    """Whether a cookie is the workspace's, and none of the application's business."""
    return cookie.startswith(("cai_application_", "cai_console_"))


def refusal(request: web.Request, subdomain: str) -> web.Response | None:
    """What a request without the key is answered; None for a browser that may see the application."""
    if request.path == ENTER and request.method == "GET":
        return _enter(request, subdomain)
    port = request.app[WORKSPACE].port
    if request.app[GUESTS].knows(request.cookies.get(cookie_name(port), ""), subdomain):
        return None
    console = _console_of(request, subdomain)
    if console and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        return _go(f"{console}{OPEN}/{subdomain}/{quote(request.path_qs, safe='')}")
    return error_response(HTTPStatus.UNAUTHORIZED, "the API key is missing or not valid")


def entrance(subdomain: str, authority: str, ticket: str, following: str) -> str:
    """The address at which a ticket is taken, of a workspace that the browser knows as ``authority``."""
    port = urlsplit(f"//{authority}").port or 80
    return f"http://{subdomain}.{DOMAIN}:{port}{ENTER}?ticket={ticket}&next={quote(following, safe='')}"


def local_path(path: str) -> str:
    """``path`` if it leads to the same host, else "/"."""
    plain = path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def without_ours(cookies: str) -> str:
    """A Cookie header without the workspace's own."""
    pairs = [pair.strip() for pair in cookies.split(";")]
    return "; ".join(pair for pair in pairs if pair and not is_ours(pair))


def _enter(request: web.Request, subdomain: str) -> web.Response:
    following = local_path(request.query.get("next", "/"))
    kept = request.app[GUESTS].enter(request.query.get("ticket", ""), subdomain)
    answer = _go(following)  # without a cookie it leads to the console once more
    if kept is not None:
        name = cookie_name(request.app[WORKSPACE].port)
        # Lax, as the browser comes from the console, which is another site.
        answer.set_cookie(name, kept, path="/", httponly=True, samesite="Lax", max_age=int(STAYS))
    return answer


def _console_of(request: web.Request, subdomain: str) -> str:
    """The console's address, by the name and port that the browser used; "" for any other name."""
    name, _, port = request.host.lower().partition(":")
    return f"http://{DOMAIN}:{port}" if name == f"{subdomain}.{DOMAIN}" and port.isdigit() else ""


def _go(address: str) -> web.Response:
    headers = {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)
