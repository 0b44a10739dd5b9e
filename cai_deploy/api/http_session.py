"""How this package opens HTTP: addresses as people write them, the key, the private CA, and names of this machine.

It must not know any path of the API. Both the API and an application's own URL are reached through it, so that they
agree on certificates, proxies and ``*.localhost``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from cai_deploy.errors import AuthenticationError, ConfigError

LOOPBACK = "127.0.0.1"
CONNECTIONS = 10


def normalise_host(host: str) -> str:
    """``scheme://domain[:port]`` from what people set: no scheme, a doubled one, a trailing slash, ``/api/v1``.

    Raises ConfigError when no domain is left, or when it carries a user name, which would end up in messages.
    """
    schemes = re.match(r"(?:https?://)*", host.strip(), re.IGNORECASE)
    given = schemes.group() if schemes else ""
    scheme = "http" if given.lower().endswith("http://") else "https"
    try:
        parts = urlsplit(f"{scheme}://{host.strip()[len(given) :]}")
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and parts.username is None
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            "the address of the workspace is not usable", next_step="set CML_HOST to https://<domain of the workspace>"
        )
    return f"{scheme}://{parts.netloc.lower()}"


def is_localhost(name: str | None) -> bool:
    """Whether ``name`` is this machine by RFC 6761: ``localhost`` and all below it."""
    return name is not None and (name == "localhost" or name.endswith(".localhost"))


class LocalhostAdapter(HTTPAdapter):
    """Connects names of this machine to 127.0.0.1, past every proxy.

    glibc resolves ``localhost`` but nothing below it, so the name never reaches the resolver: the address is put in its
    place and the name stays in the Host header, by which the server tells its applications apart. Over TLS the name
    must stay where it is for the certificate to fit, so there only the proxy is left out.
    """

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send like any adapter, after the change of address."""
        parts = urlsplit(request.url or "")
        if not is_localhost(parts.hostname):
            return super().send(request, stream, timeout, verify, cert, proxies)
        sent = request.copy()
        if parts.scheme == "http":
            sent.headers["Host"] = parts.netloc
            address = LOOPBACK if parts.port is None else f"{LOOPBACK}:{parts.port}"
            sent.url = urlunsplit(parts._replace(netloc=address))
        response = super().send(sent, stream, timeout, verify, cert, {})
        response.request, response.url = request, request.url or ""
        return response


class BearerKey(AuthBase):
    """Puts the key on a request. As a session's auth it also keeps ``~/.netrc`` from replacing it."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def usable_key(key: str) -> str:
    """``key`` without the line end that files give it. Raises AuthenticationError when it cannot be a key.

    Otherwise the HTTP library would refuse the header, and show it in full.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise AuthenticationError(
            "the API key is not usable",
            why="it has characters that no key has" if key else "it is empty",
            next_step="set CML_API_KEY to an API v2 key of the workspace",
        )
    return key


def open_session(key: str, *, connections: int = CONNECTIONS, proxy: str = "") -> requests.Session:
    """A session that several threads may share, and that keeps ``connections`` of them open to one host.

    A thread that finds none of those free opens another, which is thrown away after one request. ``proxy`` counts
    instead of those that the environment names.

    A session is only unsafe where it changes: this one takes no cookies and nothing is set on it after this function,
    while the connection pool beneath it is made for threads.
    """
    session = requests.Session()
    session.auth = BearerKey(usable_key(key))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["Accept"] = "application/json"
    if proxy:
        session.trust_env = False  # or the environment's proxies would count above a session's own
        session.proxies = {"http": proxy, "https": proxy}
    for scheme in ("http://", "https://"):
        session.mount(scheme, LocalhostAdapter(pool_maxsize=connections))
    return session


def trusted(ca_bundle: str | bool | None) -> str | bool:
    """What to check certificates against: ``ca_bundle``, else the environment's, else the usual authorities.

    False stands for somebody's decision not to check any. Raises ConfigError when the file is not there.
    """
    if isinstance(ca_bundle, bool):
        return ca_bundle
    candidates: Iterable[str | None] = (
        ca_bundle,
        os.environ.get("REQUESTS_CA_BUNDLE"),
        os.environ.get("SSL_CERT_FILE"),
    )
    bundle = next((path for path in candidates if path), None)
    if bundle is not None and not Path(bundle).exists():
        raise ConfigError(
            f"the CA bundle {bundle} does not exist",
            next_step="correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE, or unset it",
        )
    return bundle or True
