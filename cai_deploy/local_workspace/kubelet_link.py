"""The server's hold on one kubelet process: start it at first need, find it again, hear of every pod that changes.

A kubelet that dies takes its pods along, so its silence is the end of each of them. It knows nothing of
applications and jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cai_deploy
from cai_deploy.errors import DeployError
from cai_deploy.local_workspace.kubelet import client
from cai_deploy.local_workspace.kubelet.messages import PodSpec, PodStatus, decode, encode, spec_message, status_from
from cai_deploy.local_workspace.process_table import start_time
from cai_deploy.shell import last_lines

START_TIMEOUT = 10.0
END_TIMEOUT = 5.0


class KubeletLink:
    """One kubelet, whether it runs at the moment or not."""

    def __init__(self, command: list[str], socket_path: Path, log: Path, changed: Callable[[PodStatus], None]) -> None:
        self._command = command
        self._path = socket_path
        self._log = log
        self._changed = changed
        self._starting = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._processes: tuple[int, ...] = ()
        self.pods: dict[str, PodStatus] = {}

    async def attach(self) -> bool:
        """Take up a kubelet that runs already; False when there is none."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._path))
            writer.write(encode({"op": "watch"}))
            hello = decode(await reader.readline())
        except (OSError, ValueError):
            self._read_last_words()
            return False
        for message in hello["pods"]:
            self._note(status_from(message))
        self._processes = client.processes(writer.get_extra_info("socket"))
        self._watching = asyncio.create_task(self._watch(reader, writer))
        return True

    async def start(self, spec: PodSpec) -> PodStatus:
        """Run a pod, with a new kubelet where there is none."""
        for last_try in (False, True):
            async with self._starting:
                if self._watching is None or self._watching.done():
                    await self._spawn()
            try:
                reply = await self._call(spec_message(spec))
            except client.KubeletGone:  # it was just ending with its last pod
                if last_try:
                    raise
                await self._until_gone()
                continue
            status = status_from(reply["pod"])
            self.pods.setdefault(spec.name, status)
            return status
        raise AssertionError

    async def stop(self, name: str, grace: float) -> None:
        """Ask for the end of a pod; the end itself is told through ``changed``."""
        with contextlib.suppress(client.KubeletGone, client.KubeletError):
            await self._call({"op": "stop", "name": name, "grace": grace})

    async def connect(self, name: str, *, connected: bool) -> None:
        """Pull a pod's cable out, or plug it in again."""
        with contextlib.suppress(client.KubeletGone, client.KubeletError):
            await self._call({"op": "connect", "name": name, "connected": connected})

    async def remove(self, name: str) -> None:
        """Forget an ended pod. When it was the last one, returns after the kubelet has gone too."""
        self.pods.pop(name, None)
        with contextlib.suppress(client.KubeletGone, client.KubeletError):
            if (await self._call({"op": "remove", "name": name})).get("last"):
                await self._until_gone()

    async def socket_into(self, name: str, **options: Any) -> socket.socket:
        """A TCP socket inside the pod's network."""
        return await asyncio.to_thread(client.call_for_socket, self._path, {"op": "socket", "name": name, **options})

    async def exit(self) -> None:
        """End the kubelet and all of its pods."""
        with contextlib.suppress(client.KubeletGone, client.KubeletError):
            await self._call({"op": "exit"})
        await self._until_gone()

    async def let_go(self) -> None:
        """Stop listening; the kubelet goes on."""
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def _read_last_words(self) -> None:
        file = client.last_words(self._path)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            for message in decode(file.read_bytes())["pods"]:
                self._note(status_from(message))
            file.unlink()

    async def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(client.call, self._path, request)

    async def _until_gone(self) -> None:
        if self._watching:
            await asyncio.wait([self._watching], timeout=START_TIMEOUT)
        until = asyncio.get_running_loop().time() + END_TIMEOUT
        while any(map(start_time, self._processes)) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.002)

    async def _spawn(self) -> None:
        process = await self._begin()
        until = asyncio.get_running_loop().time() + START_TIMEOUT
        while not await self.attach():
            late = asyncio.get_running_loop().time() > until
            if process.returncode == 0 and not late:  # another one was there, and is going
                process = await self._begin()
            elif process.returncode is not None or late:
                raise DeployError("a kubelet did not start", why=last_lines(self._log.read_text(errors="replace"), 5))
            await asyncio.sleep(0.005)

    async def _begin(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(cai_deploy.__file__).resolve().parent.parent),
        }
        with self._log.open("ab") as log:
            process = await asyncio.to_thread(
                subprocess.Popen,
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        threading.Thread(target=process.wait, daemon=True).start()  # so that it does not stay as a zombie
        return process

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._note(status_from(decode(line)["pod"]))
        except (OSError, ValueError):
            pass
        finally:
            writer.close()
        for status in list(self.pods.values()):
            if status.state == "running":
                self._note(PodStatus(status.name, status.pid, status.address, "ended", None))

    def _note(self, status: PodStatus) -> None:
        self.pods[status.name] = status
        self._changed(status)
