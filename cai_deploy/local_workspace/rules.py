"""What the workspace accepts and which state follows which. Pure: records in, a verdict out.

It must not know HTTP requests, the store or processes. The texts of refusals are those of the real service where
they are known, because clients read them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

JsonType = type | tuple[type, ...]
SUBDOMAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ID_LENGTH = 19

# gRPC status numbers, as the gateway in front of the service writes them into error bodies.
GRPC_CODES = {
    HTTPStatus.BAD_REQUEST: 3,
    HTTPStatus.UNAUTHORIZED: 16,
    HTTPStatus.FORBIDDEN: 7,
    HTTPStatus.NOT_FOUND: 5,
    HTTPStatus.METHOD_NOT_ALLOWED: 12,
    HTTPStatus.CONFLICT: 6,
    HTTPStatus.INTERNAL_SERVER_ERROR: 13,
    HTTPStatus.SERVICE_UNAVAILABLE: 14,
}

APPLICATION_TRANSITIONS: dict[str, set[str]] = {
    "APPLICATION_STARTING": {"APPLICATION_RUNNING", "APPLICATION_STOPPING", "APPLICATION_FAILED"},
    "APPLICATION_RUNNING": {"APPLICATION_STARTING", "APPLICATION_STOPPING", "APPLICATION_FAILED"},
    "APPLICATION_STOPPING": {"APPLICATION_STARTING", "APPLICATION_STOPPED"},
    "APPLICATION_STOPPED": {"APPLICATION_STARTING"},
    "APPLICATION_FAILED": {"APPLICATION_STARTING"},
}
RUN_TRANSITIONS: dict[str, set[str]] = {
    "ENGINE_SCHEDULING": {"ENGINE_STARTING", "ENGINE_STOPPING", "ENGINE_FAILED"},
    "ENGINE_STARTING": {"ENGINE_RUNNING", "ENGINE_STOPPING", "ENGINE_FAILED"},
    "ENGINE_RUNNING": {"ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_STOPPING", "ENGINE_TIMEDOUT"},
    "ENGINE_STOPPING": {"ENGINE_STOPPED"},
    "ENGINE_STOPPED": set(),
    "ENGINE_SUCCEEDED": set(),
    "ENGINE_FAILED": set(),
    "ENGINE_TIMEDOUT": set(),
}
_TRANSITIONS = APPLICATION_TRANSITIONS | RUN_TRANSITIONS
RUN_ENDS = {state for state, following in RUN_TRANSITIONS.items() if not following}
APPLICATION_AT_REST = {"APPLICATION_STOPPED", "APPLICATION_FAILED"}


class Refused(Exception):
    """A request that the workspace does not carry out."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = GRPC_CODES.get(status, 2)


def bad_request(message: str) -> Refused:
    """400: the request itself is wrong."""
    return Refused(HTTPStatus.BAD_REQUEST, message)


def not_found(what: str) -> Refused:
    """404: there is no such thing."""
    return Refused(HTTPStatus.NOT_FOUND, f"{what} not found")


def may_follow(state: str, following: str) -> bool:
    """Whether an application or a run in ``state`` may go to ``following``."""
    return following in _TRANSITIONS.get(state, set())


def check_id(field: str, value: str) -> None:
    """An API id has 19 characters; the number from a web address is not one."""
    if len(value) != ID_LENGTH:
        raise bad_request(f"Problem with field {field}: value length must be {ID_LENGTH} runes")


def path_in_project(root: Path, path: str, *, follow: bool = True) -> Path:
    """The file that ``path`` means. Refuses what lies outside ``root``, through a symbolic link too.

    With ``follow=False`` a link itself is meant, wherever it leads.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise bad_request(f"Problem with field Path: '{path}' is not a path below the project directory")
    target = root / pure
    real_root = root.resolve()
    real = target.resolve() if follow or target == root else target.parent.resolve()
    if real_root not in (real, *real.parents):
        raise bad_request(f"Problem with field Path: '{path}' leads out of the project directory")
    return target


def check_types(body: Mapping[str, Any], kinds: Mapping[str, JsonType]) -> None:
    """Each field that is sent has the JSON type it should have."""
    for name, kind in kinds.items():
        value = body.get(name)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if value is not None and (not isinstance(value, kind) or wrong_bool):
            raise bad_request(f"Problem with field {name}: {_json_name(value)} is not allowed here")


def check_new_environment(body: Mapping[str, Any]) -> None:
    """On create an environment is an object of strings."""
    environment = body.get("environment")
    if environment is None:
        return
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise bad_request("Problem with field environment: an object with string values is expected")


def check_runtime(body: Mapping[str, Any], known: set[str]) -> None:
    """A project of ML Runtimes needs a runtime that exists."""
    runtime = body.get("runtime_identifier")
    if not runtime:
        raise bad_request("runtime image must be specified")
    if runtime not in known:
        raise bad_request(f"runtime image '{runtime}' is not available")


def check_script(root: Path, script: object) -> None:
    """A job's script is a file of the project."""
    if not isinstance(script, str) or not script or not path_in_project(root, script).is_file():
        raise bad_request(f"script '{script or ''}' not found in project directory")


def check_schedule(shown: Mapping[str, Any]) -> None:
    """A job follows a clock or another job, not both."""
    if shown.get("schedule") and (shown.get("parent_id") or shown.get("parent_job_id")):
        raise bad_request("Problem with field Schedule: a dependent job cannot have a schedule")


def check_subdomain(subdomain: object, taken: set[str]) -> None:
    """One label of a host name, unique in the workspace."""
    if not isinstance(subdomain, str) or not SUBDOMAIN.fullmatch(subdomain) or len(subdomain) > 63:
        raise bad_request("Problem with field Subdomain: invalid pattern")
    if subdomain in taken:
        raise Refused(HTTPStatus.CONFLICT, f"subdomain '{subdomain}' is already in use")


def _json_name(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return "a boolean" if isinstance(value, bool) else "a number" if isinstance(value, int | float) else "a string"
