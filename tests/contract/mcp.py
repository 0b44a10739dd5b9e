"""A session with an MCP server over its standard input and output: JSON-RPC, one message a line.

Written down here so that the server runs as its package ships it, in a process of its own, with no library between.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

PROTOCOL = "2025-06-18"


class ToolFailed(Exception):
    """The server's tool reported an error."""


class Session:
    """One server process; ends with the ``with`` block."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CAI_", "CDSW_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**kept, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._number = 0

    def __enter__(self) -> Session:
        about = {"name": "contract-tests", "version": "1"}
        self._ask("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": about})
        self._say({"method": "notifications/initialized"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process.stdout.close()

    def tools(self) -> set[str]:
        """The names of what the server offers."""
        return {tool["name"] for tool in self._ask("tools/list", {})["tools"]}

    def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool answers."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        text = answer["content"][0]["text"]
        if answer.get("isError"):
            raise ToolFailed(f"{tool}: {text}")
        return json.loads(text)

    def _ask(self, method: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        self._say({"id": self._number, "method": method, "params": parameters})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._number and "method" not in message:
                if "error" in message:
                    raise ToolFailed(f"{method}: {message['error']}")
                return message["result"]
        raise ToolFailed(f"{method}: the server has ended")

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()
