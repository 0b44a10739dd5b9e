"""What a workspace answers when it does not do what it was asked, as classes to decide by.

This module turns a status and a body into an error with a next step. It must not know about HTTP libraries, and no
error here ever holds a key: texts that come from outside are cleared of it before they arrive.
"""

from __future__ import annotations

import json
from typing import Any

from cai_deploy.errors import AuthenticationError, DeployError, Fault

LONGEST_MESSAGE = 400
"""Characters of a body that is not the API's own, after which it explains no more."""


class ApiError(DeployError):
    """The workspace answered with an error. The subclasses are what code decides by."""

    advice = "check the request against the workspace's API version"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        method: str,
        path: str,
        code: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        """``code`` is the gRPC number; ``path`` has no query; ``retry_after`` is in seconds."""
        why = f"{message} (request id {request_id})" if request_id else message
        super().__init__(f"{method} {path} was answered with {status}", why=why, next_step=self.advice)
        self.status = status
        self.message = message
        self.method = method
        self.path = path
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequest(ApiError):
    """400: a field is wrong, or something that the request names does not exist."""

    advice = "correct the field that the workspace names, then run the same command again"


class AccessRefused(ApiError, AuthenticationError):
    """401, 403: the key is wrong or expired, has another audience, or its owner lacks a role."""

    advice = "make a new API v2 key with the audience API, and see that its owner may write to the project"


class NotFound(ApiError):
    """404: there is no such object or file, or this key may not see it."""

    advice = "check the project and that the key's owner can see it; it may have been deleted meanwhile"


class RequestTimeout(ApiError):
    """408: something between us and the workspace gave up waiting; the work may have been done."""

    fault: Fault = "platform"
    retry_helps = True
    advice = "run the same command again; it goes on from what is there"


class Conflict(ApiError):
    """409: the name or the subdomain is taken."""

    advice = "choose another name, or delete what holds it"


class RateLimited(ApiError):
    """429: too many requests."""

    fault: Fault = "platform"
    retry_helps = True
    advice = "wait a minute, then run the same command again"


class ServerError(ApiError):
    """5xx: the workspace failed, or gave up waiting for its own backend; the work may have been done."""

    fault: Fault = "platform"
    retry_helps = True
    advice = "run the same command again in a minute; if it stays, give the request id to the administrator"


class UnreadableAnswer(DeployError):
    """The workspace answered with success, and with something that is not what the API promises."""

    fault: Fault = "platform"

    def __init__(self, what: str, *, why: str) -> None:
        super().__init__(what, why=why, next_step="check that CML_HOST is the address of the workspace itself")


class EndlessList(DeployError):
    """A list that does not end: a page token came twice, or there were more pages than any workspace has."""

    fault: Fault = "platform"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the list {path} does not end", why=why, next_step="report it to the administrator")


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AccessRefused,
    403: AccessRefused,
    404: NotFound,
    408: RequestTimeout,
    409: Conflict,
    429: RateLimited,
}


def class_for(status: int) -> type[ApiError]:
    """The error class of an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)


def explain(body: str) -> tuple[str, int | None]:
    """The message and the gRPC code in the body of an error, which a proxy on the way may have written."""
    if body.lstrip().startswith("<"):
        return "an HTML page from a proxy", None
    try:
        fields: Any = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return body.strip()[:LONGEST_MESSAGE] or "no explanation was given", None
    words = [fields.get("message"), fields.get("error")]
    message = next((word for word in words if isinstance(word, str) and word), "no explanation was given")
    code = fields.get("code")
    return message, code if isinstance(code, int) else None
