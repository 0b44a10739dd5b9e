"""The programs that are sent to hosts, each with the modules that it imports, as one text for the host's own Python.

The host has none of our packages: what a program imports from there is made of what comes with it. Nothing is written
to the host's disk.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cai_deploy.node import __file__ as node_package
from cai_deploy.node import __name__ as node_name

LOADER = "import sys;n=int(sys.stdin.buffer.readline());exec(compile(sys.stdin.buffer.read(n),'cai_deploy','exec'))"
"""What a host's Python is told to do: run the program that comes on stdin, after a line with its length in bytes."""

ROOMS = {
    "host_boot_entry": (),
    "host_control": ("host_processes", "host_files", "host_boot_entry", "host_records", "host_keeper"),
    "host_echo": (),
    "host_leftovers": ("host_processes", "host_files", "host_records"),
}
"""What each program imports, in the order in which they import each other."""

WITH_ROOMS = """\
import sys, types
for name, text in {rooms!r}:
    sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), sys.modules[name].__dict__)
exec(compile({program!r}, {name!r}, "exec"))
"""


@cache
def program_text(program: str) -> bytes:
    """One program, ready to be run."""
    rooms = [(f"{node_name}.{room}", _text(room)) for room in ROOMS[program]]
    return WITH_ROOMS.format(rooms=rooms, program=_text(program), name=program).encode()


def _text(room: str) -> str:
    return Path(node_package).with_name(f"{room}.py").read_text(encoding="utf-8")
