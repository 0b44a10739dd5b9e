"""The program as archives: named by what they hold, complete, and importable with a bare Python."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cai_deploy.errors import DeployError
from cai_deploy.places import archive
from cai_deploy.project.program import unpacked

PACKAGE = archive.PACKAGE.name


def written(directory: Path, files: archive.Files) -> Path:
    path = directory / f"{archive.digest(files)}.zip"
    path.write_bytes(archive.pack(files))
    return path


def test_equal_files_make_equal_archives_and_others_have_another_name() -> None:
    files = {"a/b.py": b"1", "a/c.py": b"2"}
    assert archive.pack(files) == archive.pack(dict(reversed(files.items())))
    assert archive.digest(files) != archive.digest({**files, "a/b.py": b"3"})
    assert archive.digest({"a": b"bc"}) != archive.digest({"ab": b"c"})


def test_all_that_travels_with_the_package_is_in_it() -> None:
    files = archive.whole()
    shipped = {"launchers/head.py.j2", "jobs/git_sync.py", "requirements/cluster.txt"}
    assert {f"{PACKAGE}/_shipped/{name}" for name in shipped} <= set(files)
    assert f"{PACKAGE}/cli/launch.py" in files
    assert not [path for path in files if "__pycache__" in path]


def test_what_runs_from_an_archive_is_the_same_program(tmp_path: Path) -> None:
    """A job inside the project comes to the same digests as the deployer outside, or it would restart every node."""
    home = unpacked(written(tmp_path, archive.whole()))
    program = "from cai_deploy.places import archive; print(archive.whole_digest(), archive.node_digest())"
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(home)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout.split() == [archive.whole_digest(), archive.node_digest()], ran.stderr


def test_nodes_find_all_that_they_import_in_their_part() -> None:
    files = archive.of_nodes()
    missing = {
        f"{path} imports {name}"
        for path, content in files.items()
        if path.endswith(".py")
        for name in imported(content.decode())
        if not {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"} & set(files)
    }
    assert not missing


def imported(text: str) -> set[str]:
    """The modules of ours that ``text`` imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = {name for name in names if is_module(name)}
            found |= inside if node.module == PACKAGE or inside else {str(node.module)}
    return found


def is_module(name: str) -> bool:
    path = archive.PACKAGE.parent / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def test_an_archive_unpacks_itself_with_a_bare_python(tmp_path: Path) -> None:
    path = written(tmp_path, archive.of_nodes())
    program = f"""
import sys
sys.path.insert(0, {str(path)!r})
from cai_deploy.project import program
print(program.home())
"""
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert ran.stdout.strip() == str(path.with_suffix("")), ran.stderr
    assert (path.with_suffix("") / PACKAGE / "node/agent.py").is_file()
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, path.stem}


def test_half_an_archive_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, archive.of_nodes())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DeployError, match="cannot be read"):
        unpacked(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_who_comes_second_uses_what_the_first_has_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("a", "1")
    first = unpacked(path)
    (first / "a").write_text("in use")
    assert (unpacked(path) / "a").read_text() == "in use"
