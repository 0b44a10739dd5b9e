"""What nodes and deployers have written down, read by an observer to whom what cannot be read is as good as nothing."""

from __future__ import annotations

from cai_deploy import connection
from cai_deploy.config import parse as parse_spec
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, ConnectionFileError
from cai_deploy.spec import ClusterSpec


def parse_connection(text: str | None) -> ConnectionInfo | None:
    """The connection file's content; one that cannot be read (yet) is as good as none."""
    try:
        return connection.parse(text) if text else None
    except ConnectionFileError:
        return None


def parse_applied(text: str | None) -> ClusterSpec | None:
    """The specification that was last set out for; one from another version that no longer parses is none."""
    try:
        return parse_spec(text) if text else None
    except ConfigError:
        return None
