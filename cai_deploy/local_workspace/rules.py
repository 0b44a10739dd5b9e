"""What the workspace accepts and which state follows which. Pure: records in, a verdict out.

It must not know HTTP requests, the store or processes. The texts of refusals are those of the real service where
they are known, because clients read them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

Kind = Callable[[object], bool]
SUBDOMAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ID_LENGTH = 19
LONGEST_NAME = 255
RECIPIENT_FLAGS = ("notify_on_success", "notify_on_failure", "notify_on_timeout", "notify_on_stop")

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
    "ENGINE_SCHEDULING": {"ENGINE_STARTING", "ENGINE_STOPPING", "ENGINE_FAILED", "ENGINE_SKIPPED"},
    "ENGINE_STARTING": {"ENGINE_RUNNING", "ENGINE_STOPPING", "ENGINE_FAILED"},
    "ENGINE_RUNNING": {"ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_STOPPING", "ENGINE_TIMEDOUT"},
    "ENGINE_STOPPING": {"ENGINE_STOPPED"},
    "ENGINE_STOPPED": set(),
    "ENGINE_SUCCEEDED": set(),
    "ENGINE_FAILED": set(),
    "ENGINE_TIMEDOUT": set(),
    "ENGINE_SKIPPED": set(),
}
_TRANSITIONS = APPLICATION_TRANSITIONS | RUN_TRANSITIONS
KNOWN_STATES = {*_TRANSITIONS, "ENGINE_UNKNOWN"}
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
    try:
        too_long = len(path.encode()) > 4000 or any(len(part.encode()) > LONGEST_NAME for part in pure.parts)
    except UnicodeEncodeError:
        too_long = True
    if pure.is_absolute() or ".." in pure.parts or "\0" in path or too_long:
        raise bad_request(f"Problem with field Path: '{path[:LONGEST_NAME]}' is not a path below the project directory")
    target = root / pure
    real_root = root.resolve()
    try:
        real = target.resolve() if follow or target == root else target.parent.resolve()
    except (OSError, RuntimeError):  # links that lead in a circle
        raise bad_request(f"Problem with field Path: '{path}' leads nowhere") from None
    if real_root not in (real, *real.parents):
        raise bad_request(f"Problem with field Path: '{path}' leads out of the project directory")
    return target


def text(value: object) -> bool:
    """A string."""
    return isinstance(value, str)


def flag(value: object) -> bool:
    """A boolean."""
    return isinstance(value, bool)


def integer(value: object) -> bool:
    """An int32."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31


def amount(value: object) -> bool:
    """A number of vCPUs or GB."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6 and math.isfinite(value)


def count(value: object) -> bool:
    """How many, or how long: an int32 that is not negative."""
    return integer(value) and isinstance(value, int) and value >= 0


def decimal(value: object) -> bool:
    """An int64 as the API writes it: decimal text. Empty for none."""
    return isinstance(value, str) and re.fullmatch(r"[0-9]{0,18}", value) is not None


def decimal_or_number(value: object) -> bool:
    """An int64 as a request may carry it."""
    return decimal(value) or count(value)


def texts(value: object) -> bool:
    """A list of strings."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def recipients(value: object) -> bool:
    """A list of JobRecipients."""
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and text(each.get("email", ""))
        and all(flag(wish) for name, wish in each.items() if name in RECIPIENT_FLAGS)
        for each in value
    )


def check_types(body: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Each field that is sent is of its kind."""
    for name, fits in kinds.items():
        value = body.get(name)
        if value is not None and not fits(value):
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
    if not isinstance(runtime, str) or runtime not in known:
        raise bad_request(f"runtime image '{runtime}' is not available")


def check_script(root: Path, script: object) -> None:
    """A job's script is a file of the project."""
    if not isinstance(script, str) or not script or not path_in_project(root, script).is_file():
        raise bad_request(f"script '{script or ''}' not found in project directory")


def check_schedule(shown: Mapping[str, Any]) -> None:
    """A job follows a clock or another job, not both."""
    if shown.get("schedule") and (shown.get("parent_id") or shown.get("parent_job_id")):
        raise bad_request("Problem with field Schedule: a dependent job cannot have a schedule")


def check_subdomain(subdomain: object, *, taken: bool) -> None:
    """One label of a host name, unique in the workspace."""
    if not isinstance(subdomain, str) or not SUBDOMAIN.fullmatch(subdomain) or len(subdomain) > 63:
        raise bad_request("Problem with field Subdomain: invalid pattern")
    if taken:
        raise Refused(HTTPStatus.CONFLICT, f"subdomain '{subdomain}' is already in use")


def _json_name(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool | int | float):
        return f"the value {json.dumps(value)[:40]}"
    return "this text"
