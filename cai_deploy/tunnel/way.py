"""How the local ports reach the head: one HTTP session with what an Access says."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp

from cai_deploy.access import HOST, Access

CONNECT_TIMEOUT = 10.0
LONGEST_HEADER = 64 * 1024
PIECE = 256 * 1024


def open_session(access: Access) -> aiohttp.ClientSession:
    """A session within the running loop; answers come out as they came in, and nothing is kept of them."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=checked_against(access.verify)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        trust_env=HOST not in access.headers,  # this machine: no proxy leads there
        read_bufsize=PIECE,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
    )


def checked_against(verify: bool | str) -> ssl.SSLContext | bool:
    """What aiohttp is told of certificates; a text is a file or a directory of authorities."""
    if isinstance(verify, bool):
        return verify
    bundle = Path(verify)
    return ssl.create_default_context(capath=bundle) if bundle.is_dir() else ssl.create_default_context(cafile=bundle)
