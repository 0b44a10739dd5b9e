"""Which headers of a request go on through the gateway, and which of an answer come back. Pure.

What belongs to one connection stays on it. What opens the cluster goes to Ray alone: an application that Serve serves
never sees the token, nor the key of the platform that may stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from cai_deploy.access import AUTHORIZATION, RAY_AUTHORIZATION
from cai_deploy.node.web.guard import COOKIE, Guard

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
HANDSHAKE = frozenset(
    {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"}
)
"""Of a websocket, each side makes its own."""

OPENS_THE_CLUSTER = frozenset({AUTHORIZATION.lower(), RAY_AUTHORIZATION.lower()})


@dataclass(frozen=True)
class Sender:
    """Who sent a request: an ``address``, by which ``scheme``, and the ``prefix`` that was cut off the path."""

    address: str
    scheme: str
    prefix: str = ""


def ray_headers(headers: Headers, guard: Guard, sender: Sender) -> CIMultiDict[str]:
    """Those that go on to Ray, which asks for the token once more."""
    kept = _end_to_end(headers)
    passed = CIMultiDict((name, value) for name, value in kept if name.lower() != "host" and guard.passes(name, value))
    return _forwarded(passed, headers, sender)


def served_headers(headers: Headers, sender: Sender) -> CIMultiDict[str]:
    """Those that go on to an application of Serve, which knows itself by the name that it was called by."""
    kept = CIMultiDict((name, value) for name, value in _end_to_end(headers) if name.lower() not in OPENS_THE_CLUSTER)
    cookies = [without_cookie(value, COOKIE) for value in kept.popall("Cookie", [])]
    kept.extend(("Cookie", value) for value in cookies if value)
    return _forwarded(kept, headers, sender)


def answer_headers(headers: Headers, prefix: str, hosts: Iterable[str]) -> CIMultiDict[str]:
    """Those of an answer. Where it leads elsewhere at one of ``hosts``, it leads there below ``prefix``."""
    kept = CIMultiDict((name, value) for name, value in _end_to_end(headers))
    if prefix:
        # A page below the prefix must not get hold of requests for anything above it.
        kept.popall("Service-Worker-Allowed", None)
        if "Location" in kept:
            kept["Location"] = _below(kept["Location"], prefix, frozenset(hosts))
    return kept


def without_cookie(value: str, name: str) -> str:
    """A Cookie header without the cookie called ``name``."""
    pairs = [pair.strip() for pair in value.split(";")]
    return "; ".join(pair for pair in pairs if pair and pair.partition("=")[0].strip() != name)


def is_websocket(headers: Mapping[str, str]) -> bool:
    """Whether a request wants to become a websocket."""
    asked = [word.strip().lower() for word in headers.get("Connection", "").split(",")]
    return headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in asked


def without_handshake(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """What a websocket of our own sends besides its own headers."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HANDSHAKE)


def _end_to_end(headers: Headers) -> list[tuple[str, str]]:
    named = {word.strip().lower() for value in headers.getall("Connection", []) for word in value.split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP | named]


def _forwarded(passed: CIMultiDict[str], headers: Headers, sender: Sender) -> CIMultiDict[str]:
    before = passed.get("X-Forwarded-For")
    passed["X-Forwarded-For"] = f"{before}, {sender.address}" if before else sender.address
    passed.setdefault("X-Forwarded-Host", headers.get("Host", ""))
    passed.setdefault("X-Forwarded-Proto", sender.scheme)
    if sender.prefix:
        passed["X-Forwarded-Prefix"] = sender.prefix
    return passed


def _below(location: str, prefix: str, hosts: frozenset[str]) -> str:
    url = urlsplit(location)
    if (url.netloc and url.netloc not in hosts) or not (url.netloc or location.startswith("/")):
        return location
    return prefix + url._replace(scheme="", netloc="").geturl()
