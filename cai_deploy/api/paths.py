"""Paths below ``/api/v2``, built from parts so that no part can change what the others mean.

URL layers resolve dot segments and collapse empty ones, so that a careless part would address another object: a delete
of the file "" is a delete of the project directory. Such parts are refused here, before anything is sent. This module
must not know what is done at a path.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from cai_deploy.errors import ConfigError


def resource(*segments: str, action: str = "") -> str:
    """``projects/{id}/jobs`` from its segments, each percent-encoded, with ``:action`` behind when given.

    Raises ConfigError for a segment that is empty or made of dots.
    """
    for segment in segments:
        if segment in ("", ".", ".."):
            raise ConfigError(
                f"{segment!r} cannot be part of an address in the workspace",
                why="an id is empty or not an id",
                next_step="check the project id in the configuration",
            )
    joined = "/".join(quote(segment, safe="") for segment in segments)
    return f"{joined}:{action}" if action else joined


def file_path(path: str) -> str:
    """``path``, relative to the project's root, without needless dots and slashes; "" is the root itself.

    Raises ConfigError when it is absolute or climbs with ``..``.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ConfigError(
            f"{path!r} is not a path within the project",
            why="it is absolute or climbs with '..'",
            next_step="give the path relative to the project's root",
        )
    return "/".join(pure.parts)


def file_of_project(path: str) -> str:
    """Like file_path, for what must be one entry of the project. Raises ConfigError for the root as well."""
    clean = file_path(path)
    if not clean:
        raise ConfigError(
            "the project's root is not a file", why="the path is empty", next_step="give the path of a file"
        )
    return clean
