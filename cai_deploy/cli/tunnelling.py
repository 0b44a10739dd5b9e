"""Holding the tunnel's ports open while a person works, with the token where their programs find it for so long."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cai_deploy.access import RAY_AUTHORIZATION, Access
from cai_deploy.cli.output import say, show_json
from cai_deploy.exports import for_client, shell_lines
from cai_deploy.tunnel.ports import Opened, Wish, open_ports

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OWNER_ONLY = 0o600


def hold_open(access: Access, wish: Wish, *, as_json: bool) -> None:
    """Until somebody ends it, which is no failure. Raises ConfigError for a port that is taken."""
    with token_file(access) as path:
        asyncio.run(_hold(access, wish, path, as_json=as_json))
    say("the tunnel is closed")


@contextmanager
def token_file(access: Access) -> Iterator[str]:
    """A file with the cluster's token that only this user can read, as long as it is needed; "" when there is none."""
    token = access.headers.get(RAY_AUTHORIZATION, "").partition(" ")[2]
    if not token:
        yield ""
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")  # gone when the user logs out, whatever happens to us
    directory = Path(tempfile.mkdtemp(prefix="cai-deploy-", dir=runtime if os.access(runtime, os.W_OK) else None))
    try:
        path = directory / "token"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
            file.write(token)
        yield str(path)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _hold(access: Access, wish: Wish, token_path: str, *, as_json: bool) -> None:
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, over.set)
    async with open_ports(access, wish, say) as opened:
        _tell(opened, token_path, as_json=as_json)
        await over.wait()


def _tell(opened: Opened, token_path: str, *, as_json: bool) -> None:
    variables = for_client(opened.client_url, token_path, opened.dashboard_url)
    say(f"Ray Client at {opened.client_url}, dashboard and jobs at {opened.dashboard_url}, until Ctrl-C")
    if as_json:
        show_json({"client_url": opened.client_url, "dashboard_url": opened.dashboard_url, "variables": variables})
        return
    say("in another terminal:")
    click.echo("\n".join(shell_lines(variables)))
