"""The least that a server of the workspace's framework can do: it reads each request and answers with an empty object.

python -m tests.benchmarks.bare_server PORT
"""

from __future__ import annotations

import sys

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    """Whatever is asked."""
    await request.read()
    return web.json_response({})


def main(port: str) -> None:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
