"""The one seam for HTTP: a host, a key, time-outs and retries. It knows no objects.

Reads are retried here, with back-off and jitter. Writes are not: after a lost answer somebody has to look whether the
work was done (``creation.py``), which a transport cannot. A ``requests`` session is not promised to be safe across
threads, so each thread has its own.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import tenacity

from cai_deploy.api.errors import ApiError, RateLimited, ServerError, UnexpectedAnswer, from_response, request_id_of
from cai_deploy.api.loopback import LoopbackAdapter, is_loopback_name
from cai_deploy.errors import PlaceUnreachable

READ_TIMEOUT = 30.0
UPLOAD_TIMEOUT = 60.0
CREATE_TIMEOUT = 120.0
"""Seconds. The gateway itself gives up on its backend after 30, but uploads and creates queue in front of it."""

READ_ATTEMPTS = 5
LONGEST_PAUSE = 20.0


class LostAnswer(PlaceUnreachable):
    """The connection broke or timed out: whether the request was carried out is not known."""


class Transport:
    """Sends requests to one workspace. ``host`` may lack a scheme or carry an API path; ``sleep`` is for tests."""

    def __init__(self, host: str, api_key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.host = normalise_host(host)
        self._api_key = api_key
        self._sleep = sleep
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"Transport({self.host!r})"

    def read(self, method: str, path: str, *, params: Mapping[str, Any] | None = None) -> requests.Response:
        """Send a request that changes nothing, again while that can help. Raises ApiError or LostAnswer."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((ServerError, RateLimited, LostAnswer)),
            stop=tenacity.stop_after_attempt(READ_ATTEMPTS),
            wait=_pause,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self.send, method, path, params=params)

    def read_json(self, path: str, *, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GET ``path`` and return its JSON object."""
        return json_object(self.read("GET", path, params=params))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        timeout: float = READ_TIMEOUT,
    ) -> requests.Response:
        """Send one request once. ``path`` starts with ``/api/v2``. Raises ApiError or LostAnswer."""
        try:
            response = self._session().request(
                method,
                self.host + path,
                params=params,
                json=body,
                files=files,
                timeout=timeout,
                headers={"Authorization": f"Bearer {self._api_key}", "Accept": "*/*"},
            )
        except requests.RequestException as error:
            raise LostAnswer(
                f"no answer from {self.host} to {method} {path}",
                why=_in_short(error),
                next_step="check CML_HOST, the network and REQUESTS_CA_BUNDLE",
            ) from error
        if response.status_code >= 400:
            raise from_response(response)
        return response

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = open_session(self.host)
            self._local.session = session
        return session


def open_session(host: str) -> requests.Session:
    """A session with the machine's proxy and CA settings, or straight to loopback for a name below localhost."""
    session = requests.Session()
    if is_loopback_name(host):
        session.trust_env = False
        session.mount("http://", LoopbackAdapter())
    elif os.environ.get("SSL_CERT_FILE") and not os.environ.get("REQUESTS_CA_BUNDLE"):
        session.verify = os.environ["SSL_CERT_FILE"]
    # A .netrc entry for the host would replace our Authorization header without a word.
    session.auth = _keep_headers
    return session


def normalise_host(host: str) -> str:
    """``ml.example.com/`` -> ``https://ml.example.com``: people and platforms write it in many ways."""
    bare = re.sub(r"^(https?://)+(?=https?://)", "", host.strip(), flags=re.IGNORECASE)
    bare = re.sub(r"/+(api(/v\d+)?/*)?$", "", bare)
    return bare if re.match(r"https?://", bare) else f"https://{bare}"


def json_object(response: requests.Response) -> dict[str, Any]:
    """The JSON object in a successful answer. Raises UnexpectedAnswer for anything else, such as a login page."""
    try:
        data = response.json()
    except ValueError:
        data = None
    if isinstance(data, dict):
        return data
    raise UnexpectedAnswer(
        f"{response.request.method} {response.request.path_url.partition('?')[0]} did not answer a JSON object",
        status=response.status_code,
        code=None,
        message=f"content type {response.headers.get('Content-Type', 'none')}",
        request_id=request_id_of(response),
        next_step="check that CML_HOST is the workspace itself and not a login or landing page",
    )


_back_off = tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE)


def _pause(state: tenacity.RetryCallState) -> float:
    """As long as the workspace asks for, else exponential with jitter so that many clients don't return together."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return min(asked, LONGEST_PAUSE) if asked is not None else _back_off(state)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _in_short(error: requests.RequestException) -> str:
    """requests nests three exceptions in one line; the innermost says it."""
    inner: BaseException = error
    while inner.__context__ is not None:
        inner = inner.__context__
    return f"{type(error).__name__}: {inner}"
