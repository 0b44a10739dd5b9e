"""The one seam for HTTP with the API: every call has a timeout and waits for its turn, and errors come out typed.

It must not know any kind of object. A lost answer is asked for again here where that comes to the same; where it does
not, whoever writes knows what to look for first (see ``creation.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import requests
from pydantic_core import from_json

from cai_deploy.api.errors import ApiError, UnreadableAnswer, class_for, explain
from cai_deploy.api.http_session import normalise_host, open_session, trusted, usable_key
from cai_deploy.api.limiter import Limiter
from cai_deploy.api.patience import seconds_of, until_answered, until_let_through
from cai_deploy.api.server_clock import ServerClock
from cai_deploy.api.unreachable import unreachable
from cai_deploy.api.wire import Wire

Method = Literal["GET", "POST", "PATCH", "DELETE"]

TIMEOUT = 30.0
UPLOAD_TIMEOUT = 60.0
CREATE_TIMEOUT = 120.0
"""Seconds. A workspace may take long to create things, and an answer that is lost costs more than one that is late."""

PARALLELISM = 10
"""Calls in flight at once, when nobody asks for another number: what a workspace that others use too can bear."""

PARTIAL = 206
TOO_MANY_REQUESTS = 429

REPEATABLE = ("DELETE", "PATCH")


class Transport:
    """Requests to one workspace with one key. Several threads may use it at once (see ``open_session``)."""

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        parallelism: int = PARALLELISM,
        ca_bundle: str | bool | None = None,
        wire: Wire | None = None,
        timeout: float = TIMEOUT,
        attempts: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``timeout`` in seconds for calls that name no other; ``attempts`` is how often a read is tried in all.

        ``parallelism`` bounds the calls in flight, of all threads together; the workspace's 429s narrow it further.
        ``wire`` is what sends them, a session of requests when none is given.
        Raises ConfigError for an address, a CA bundle or a bound, AuthenticationError for a key, that cannot be used.
        """
        self.host = normalise_host(host)
        self.sleep = sleep
        self._key = usable_key(api_key)
        self._wire = wire or open_session(api_key, connections=parallelism)
        self._limiter = Limiter(parallelism)
        self._clock = ServerClock()
        self._verify = trusted(ca_bundle)
        self._timeout = timeout
        self._attempts = attempts

    def __repr__(self) -> str:
        return f"Transport({self.host!r})"

    def server_time(self) -> float:
        """Seconds since 1970, as the workspace tells the time; as this machine does before the first answer."""
        return self._clock.now()

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

    def read_bytes(self, path: str, start: int = 0) -> bytes:
        """The bytes from ``start`` on that a POST to ``path`` answers with: the API's way to download.

        A server that knows no ranges sends all of them; what was not asked for is cut off here. Raises like ``read``.
        """
        wanted = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"} if start else {}
        answer = self._patiently("POST", path, headers={"Accept": "*/*", **wanted})
        from_there = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        return answer.content if answer.status_code == PARTIAL and from_there else answer.content[start:]

    def write(
        self,
        method: Method,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        repeatable: bool = False,
    ) -> dict[str, Any]:
        """Send ``body`` and return the JSON answer, {} for none. ``timeout`` in seconds. Raises like ``read``.

        A DELETE or PATCH comes to the same when it is done twice, so those are repeated as reads are, and so is a POST
        of which the caller knows the same (``repeatable``). Any other is not sent again after a lost answer, as nobody
        knows what it has done.
        """
        send = self._patiently if repeatable or method in REPEATABLE else self._once
        return self._json(send(method, path, json=body, timeout=timeout))

    def send_file(self, path: str, field: str, content: bytes) -> None:
        """Post ``content`` once, as the multipart field ``field``. Raises ApiError or PlaceUnreachable."""
        part = (field.rpartition("/")[2], content, "application/octet-stream")
        self._once("POST", path, files={field: part}, timeout=UPLOAD_TIMEOUT)

    def _patiently(self, method: Method, path: str, **how: Any) -> requests.Response:
        return until_answered(lambda: self._once(method, path, **how), self._attempts, self.sleep)

    def _once(self, method: Method, path: str, **how: Any) -> requests.Response:
        """Do it once: a request that was refused as one too many was not done at all."""
        return until_let_through(lambda: self._send(method, path, **how), self.sleep)

    def _send(self, method: Method, path: str, *, timeout: float | None = None, **how: Any) -> requests.Response:
        seconds = self._timeout if timeout is None else timeout
        url = f"{self.host}/api/v2/{path}"
        with self._limiter.slot() as slot:
            try:
                # A redirect from the API leads to a login page: following it would take the key there and say nothing.
                answer = self._wire.request(
                    method, url, timeout=seconds, verify=self._verify, allow_redirects=False, **how
                )
            except requests.RequestException as error:
                raise unreachable(self.host, error, seconds) from error
            slot.outcome = "refused" if answer.status_code == TOO_MANY_REQUESTS else "accepted"
        self._clock.hear(answer.headers.get("Date", ""))
        if answer.status_code >= 300:
            raise self._error(method, path, answer)
        return answer

    def _error(self, method: Method, path: str, answer: requests.Response) -> ApiError:
        message, code = explain(answer.text)
        return class_for(answer.status_code)(
            answer.status_code,
            message.replace(self._key, "***"),
            method=method,
            path=f"/api/v2/{path}",
            code=code,
            request_id=answer.headers.get("x-cdp-request-id") or answer.headers.get("x-request-id") or "",
            retry_after=seconds_of(answer.headers.get("Retry-After", "")),
        )

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        if not answer.content:
            return {}
        try:
            fields = from_json(answer.content)  # without a second copy of a long list, and words that repeat only once
        except ValueError:
            fields = None
        if isinstance(fields, dict):
            return fields
        why = "an HTML page, perhaps of a login" if answer.text.lstrip().startswith("<") else "not a JSON object"
        path = answer.request.path_url.partition("?")[0]
        raise UnreadableAnswer(f"{answer.request.method} {path} was answered with something else than JSON", why=why)
