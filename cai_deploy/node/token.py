"""The cluster's token: who has it may do anything in the cluster, as Ray runs any code that it is sent.

The head makes it, once in the life of a cluster, and keeps it where the project's own people can read it and nobody
else. It is handed on by its path alone, as many more can read a command line, a variable or a log. That path is set in
the agent's own environment too, where Ray's client within the agent looks for it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import MutableMapping
from pathlib import Path

from cai_deploy.errors import DeployError
from cai_deploy.node.pod import Pod
from cai_deploy.node.secret_file import OWNER_ONLY, comes, make_once
from cai_deploy.node_settings import NodeSettings

BYTES = 32

PATIENCE = 60.0
"""Seconds; a file of another machine may be that late on a shared file system which remembers what was not there."""


class NoToken(DeployError):
    """The cluster has a token, and it cannot be read here."""


def token_file(settings: NodeSettings, pod: Pod) -> Path | None:
    """Where the token of the cluster is; None for a cluster that is to have none."""
    return pod.token_file(settings.cluster) if settings.authentication == "token" else None


def create_token(path: Path) -> None:
    """Make the token unless there is one. Of two heads that do so at once, one succeeds and both have the same."""
    if not read_token(path):
        make_once(path, secrets.token_hex(BYTES))
    path.chmod(OWNER_ONLY)


def read_token(path: Path) -> str:
    """The token, "" while there is none. Raises NoToken when it may not be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise NoToken(
            f"the cluster's token cannot be read: {path.name}",
            why=str(error),
            next_step="run the node as the user who owns the project's files",
        ) from error


def wait_for_token(path: Path, stop: threading.Event) -> None:
    """Until the token is there, or we are told to stop. Raises NoToken when it does not come."""
    if not comes(lambda: read_token(path), PATIENCE, stop):
        raise NoToken(
            f"there is no token at {path}, though the cluster has a head",
            next_step="start the head again: python -m cai_deploy launch",
        )


def use_token(path: Path | None, environ: MutableMapping[str, str]) -> None:
    """Have Ray ask for the token in ``path``, and show it, in every process that inherits ``environ``; None: for none.

    The mode is always said, as Ray decides by itself otherwise: a head that finds any token asks for it, while its
    workers show none. A token in a variable would count for more than the one in ``path``.
    """
    environ.pop("RAY_AUTH_TOKEN", None)
    environ.pop("RAY_AUTH_TOKEN_PATH", None)
    environ["RAY_AUTH_MODE"] = "token" if path else "disabled"
    if path:
        environ["RAY_AUTH_TOKEN_PATH"] = str(path)
