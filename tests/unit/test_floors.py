"""The floors of docs/architecture.md: imports point down only, and the two wings never meet."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cai_deploy"

FLOORS = [
    {"errors", "clock", "daily_window", "holder", "layout", "redaction", "spec_texts"},
    {"access", "carrier", "shell", "git_access", "shipped", "slurm_options", "ssh_hosts", "compose_options"}
    | {"connection", "node_settings"},
    {"spec"},
    {"config", "diagnosis", "exports", "firewall", "hibernation", "mesh", "on_boot", "source", "state"},
    {"api", "inline", "render", "membership", "node", "project", "local_workspace"},
    {"plan", "places", "workspace"},
    {"logs", "overview", "reconcile"},
    {"deploy", "submission", "tunnel"},
    {"session", "submitted", "testing"},
    {"cli", "cluster"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

DEPLOYER = {"api", "inline", "render", "plan", "places", "reconcile", "deploy", "spec", "config", "source", "state"}
LOCAL_WORKSPACE_USES = {"errors", "shell", "clock", "layout", "redaction"}
TESTING_USES = {"errors", "local_workspace"}
BARE_PYTHON = {
    "errors",
    "shell",
    "clock",
    "daily_window",
    "git_access",
    "layout",
    "redaction",
    "connection",
    "node_settings",
    "project",
}


def imports() -> Iterator[tuple[Path, str, str]]:
    """Every import of the package, as (file, importing room, imported module's full name)."""
    for file in sorted(PACKAGE.rglob("*.py")):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file, room, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                yield from ((file, room, f"{base}.{alias.name}") for alias in node.names)


def rooms_imported() -> Iterator[tuple[Path, str, str]]:
    for file, room, name in imports():
        parts = name.split(".")
        if parts[0] == "cai_deploy" and len(parts) > 1 and parts[1] in FLOOR_OF:
            yield file, room, parts[1]


def test_every_room_has_a_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "_shipped", "py.typed"} == set(FLOOR_OF)


def test_imports_point_down() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {imported}"
        for file, room, imported in rooms_imported()
        if room in FLOOR_OF and room != imported and FLOOR_OF[imported] >= FLOOR_OF[room]
    ]
    assert not wrong


def test_local_workspace_knows_nothing_of_the_deployer() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {imported}"
        for file, room, imported in rooms_imported()
        if room == "local_workspace" and imported not in LOCAL_WORKSPACE_USES | {"local_workspace"}
    ]
    assert not wrong


def test_what_tests_of_others_use_knows_nothing_of_the_deployer() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {imported}"
        for file, room, imported in rooms_imported()
        if room == "testing" and imported not in TESTING_USES | {"testing"}
    ]
    assert not wrong


def test_only_the_command_line_knows_both_wings() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports local_workspace"
        for file, room, imported in rooms_imported()
        if imported == "local_workspace" and room not in {"local_workspace", "session", "testing", "cli"}
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(BARE_PYTHON))
def test_what_runs_in_a_bare_python_imports_the_standard_library_alone(room: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file, importing, name in imports()
        if importing == room and name.split(".")[0] not in {*sys.stdlib_module_names, "cai_deploy"}
    ]
    assert not wrong


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_modules_are_small_and_say_what_they_are_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "a module's docstring says what it is for"
