"""The one seam for HTTP with the API: every call has a timeout, reads are tried again, errors come out typed.

It must not know any kind of object. Reads are repeated here because that changes nothing; writes never are: whoever
writes knows what to look for first (see ``creation.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from cai_deploy.api.errors import UnreadableAnswer, class_for, explain
from cai_deploy.api.http_session import normalise_host, open_session, trusted, usable_key
from cai_deploy.errors import DeployError, PlaceUnreachable

Method = Literal["GET", "POST", "PATCH", "DELETE"]

TIMEOUT = 30.0
UPLOAD_TIMEOUT = 60.0
CREATE_TIMEOUT = 120.0
"""Seconds. A workspace may take long to create things, and an answer that is lost costs more than one that is late."""

LONGEST_WAIT = 60.0
"""Seconds that a Retry-After is honoured for; a server that asks for more is as good as down."""

_back_off = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)

REPEATABLE = ("DELETE", "PATCH")


class Transport:
    """Requests to one workspace with one key. Several threads may use it at once (see ``open_session``)."""

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        ca_bundle: str | None = None,
        timeout: float = TIMEOUT,
        attempts: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``timeout`` in seconds for calls that name no other; ``attempts`` is how often a read is tried in all.

        Raises ConfigError for an address or a CA bundle, AuthenticationError for a key, that cannot be used.
        """
        self.host = normalise_host(host)
        self.sleep = sleep
        self._key = usable_key(api_key)
        self._session = open_session(api_key)
        self._verify = trusted(ca_bundle)
        self._timeout = timeout
        self._attempts = attempts

    def __repr__(self) -> str:
        return f"Transport({self.host!r})"

    def read(
        self,
        path: str,
        *,
        method: Method = "GET",
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The JSON object at ``path`` (below ``/api/v2``), tried again while that can help.

        Raises ApiError, PlaceUnreachable, or UnreadableAnswer when the answer is not a JSON object.
        """
        return self._json(self._patiently(method, path, params=params, json=body))

    def read_bytes(self, path: str) -> bytes:
        """The bytes that a POST to ``path`` answers with: the API's way to download. Raises like ``read``."""
        return self._patiently("POST", path, headers={"Accept": "*/*"}).content

    def write(
        self, method: Method, path: str, body: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send ``body`` and return the JSON answer, {} for none. ``timeout`` in seconds. Raises like ``read``.

        A DELETE or PATCH comes to the same when it is sent twice, so those are repeated as reads are; a POST is sent
        once, as nobody knows what a lost one has done.
        """
        send = self._patiently if method in REPEATABLE else self._once
        return self._json(send(method, path, json=body, timeout=timeout))

    def send_file(self, path: str, field: str, content: bytes) -> None:
        """Post ``content`` once, as the multipart field ``field``. Raises ApiError or PlaceUnreachable."""
        part = (field.rpartition("/")[2], content, "application/octet-stream")
        self._once("POST", path, files={field: part}, timeout=UPLOAD_TIMEOUT)

    def _patiently(self, method: Method, path: str, **how: Any) -> requests.Response:
        trying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=_wait,
            retry=retry_if_exception(lambda error: isinstance(error, DeployError) and error.retry_helps),
            sleep=self.sleep,
            reraise=True,
        )
        return trying(self._once, method, path, **how)

    def _once(self, method: Method, path: str, *, timeout: float | None = None, **how: Any) -> requests.Response:
        seconds = self._timeout if timeout is None else timeout
        url = f"{self.host}/api/v2/{path}"
        try:
            # A redirect from the API leads to a login page: following it would take the key there and say nothing.
            answer = self._session.request(
                method, url, timeout=seconds, verify=self._verify, allow_redirects=False, **how
            )
        except requests.RequestException as error:
            raise unreachable(self.host, error, seconds) from error
        if answer.status_code >= 300:
            message, code = explain(answer.text)
            raise class_for(answer.status_code)(
                answer.status_code,
                message.replace(self._key, "***"),
                method=method,
                path=f"/api/v2/{path}",
                code=code,
                request_id=answer.headers.get("x-cdp-request-id") or answer.headers.get("x-request-id") or "",
                retry_after=_seconds(answer.headers.get("Retry-After", "")),
            )
        return answer

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        if not answer.content:
            return {}
        try:
            fields = answer.json()
        except ValueError:
            fields = None
        if isinstance(fields, dict):
            return fields
        why = "an HTML page, perhaps of a login" if answer.text.lstrip().startswith("<") else "not a JSON object"
        path = answer.request.path_url.partition("?")[0]
        raise UnreadableAnswer(f"{answer.request.method} {path} was answered with something else than JSON", why=why)


def unreachable(host: str, error: requests.RequestException, timeout: float) -> PlaceUnreachable:
    """The error for ``host`` not answering. Only the cause is told: the library's text may hold a proxy's password."""
    advice = "check CML_HOST, the network and the proxy settings"
    if isinstance(error, requests.exceptions.SSLError):
        why = "its certificate is not trusted"
        advice = "set REQUESTS_CA_BUNDLE to a file with the certificate authority of the workspace"
    elif isinstance(error, requests.Timeout):
        why = f"no answer within {timeout:g} seconds"
    elif isinstance(error, requests.exceptions.ProxyError):
        why = "the proxy does not let us through"
    else:
        why = _cause(error) or "the connection broke"
    told = PlaceUnreachable(f"{host} cannot be reached", why=why, next_step=advice)
    told.retry_helps = isinstance(error, (requests.ConnectionError, requests.Timeout)) and not isinstance(
        error, requests.exceptions.SSLError
    )
    return told


def _cause(error: BaseException | None) -> str:
    """What the operating system said beneath the library's wrappings."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = getattr(error, "retry_after", None)
    return _back_off(state) if told is None else min(float(told), LONGEST_WAIT)


def _seconds(retry_after: str) -> float | None:
    """Seconds in a Retry-After header, which is a number of them or a date; None when it is neither."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())
