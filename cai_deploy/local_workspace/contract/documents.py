"""Serves the four documents that need no key: the Swagger document, its page, the Python client and its page.

Loaded with the server, so it imports nothing but the HTTP framework; a document is made when somebody first asks for
it, in a thread, and kept.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

_BASE = "/api/v2/"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Document:
    """What is served at one of the paths."""

    content_type: str
    make: Callable[[], bytes]


@web.middleware
async def documents(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer for the documents, whoever asks; everything else goes on to where keys are looked at."""
    document = DOCUMENTS.get(request.path)
    if document is None or request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
        return await handler(request)
    body = await asyncio.to_thread(document.make)
    return web.Response(body=body, content_type=document.content_type, headers={hdrs.CACHE_CONTROL: "no-cache"})


@functools.cache
def _swagger_json() -> bytes:
    from cai_deploy.local_workspace.contract import reader, swagger

    return json.dumps(swagger.document(reader.contract()), indent=1).encode()


@functools.cache
def _swagger_html() -> bytes:
    from cai_deploy.local_workspace.contract import pages, reader

    return pages.of_the_api(reader.contract()).encode()


@functools.cache
def _python_html() -> bytes:
    from cai_deploy.local_workspace.contract import pages, reader

    return pages.of_the_client(reader.contract()).encode()


@functools.cache
def _python_archive() -> bytes:
    from cai_deploy.local_workspace.contract import client, reader, sdist

    contract = reader.contract()
    return sdist.pack(f"{client.NAME}-{client.version(contract)}", client.files(contract))


DOCUMENTS = {
    f"{_BASE}swagger.json": Document("application/json", _swagger_json),
    f"{_BASE}swagger.html": Document("text/html", _swagger_html),
    f"{_BASE}python.html": Document("text/html", _python_html),
    f"{_BASE}python.tar.gz": Document("application/gzip", _python_archive),
}
