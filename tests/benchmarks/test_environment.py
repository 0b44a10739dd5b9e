"""What an environment costs: to build it, to find it unchanged, and to start nodes from it where files are far away.

Both sides of the build have uv's cache as full as the other: what is compared is our work, and no download. Files that
are far away are those of SlowFiles, so that the same is counted on every machine. The project is in shared memory and
the nodes' own disk is that of the temporary directory, as a copy has to be on another file system than the original.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.project.local_copy import kind_of
from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.environment_parts import Project, Watch, clean, lock_text, run
from tests.benchmarks.head_start import HeadStart, bring_program, launcher_text
from tests.benchmarks.rows import at_least, at_most, count, ratio
from tests.benchmarks.slow_files import SlowFiles, opens, slow_files

SHARED = Path("/dev/shm")
FAR = 3.0
"""Milliseconds to open a file that is far away."""

VERY_FAR = 10.0
"""The same, where a copy is to be fetched in time on a busy machine too."""

NODES = 3
SMALL_IMPORTS = "import click, jinja2, requests, rich.console, rich.markdown, tenacity"
FEWER = 3

AGENT = '"-m", "cai_deploy.node", "head"'


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory of its own on the file system that all nodes share."""
    directory = Path(subprocess.check_output(["mktemp", "-d", "-p", str(SHARED)], text=True).strip())
    yield directory
    shutil.rmtree(directory)


@pytest.mark.short
def test_a_cold_build(tmp_path: Path, record: Record, size: Size) -> None:
    project = Project.make(tmp_path / "project", lock_text(small=size.short))
    plain = project.environment.with_name("plain")
    project.sync(plain)  # fills the cache
    took: dict[str, list[float]] = {"ours": [], "sync": [], "compiled": []}
    for _ in range(size.rounds):
        project.remove(plain)
        with Watch() as watch:
            project.sync(plain)
        took["sync"].append(watch.seconds)
        project.remove(plain)
        with Watch() as watch:
            project.sync(plain, "--compile-bytecode")
        took["compiled"].append(watch.seconds)
        project.remove(project.environment)
        with Watch() as watch:
            project.set_up()
        took["ours"].append(watch.seconds)
    figure = "cold setup job, a few packages" if size.short else "cold setup job, Ray's lock"
    compiled = ratio(figure, took["ours"], "`uv pip sync --compile-bytecode`", took["compiled"])
    record(compiled if size.short else compiled.toward(at_most(1.1)))
    plainly = ratio(figure, took["ours"], "`uv pip sync`, which leaves compiling to the nodes", took["sync"])
    record(plainly if size.short else plainly.toward(at_most(1.1), "it compiles"))


@pytest.mark.short
def test_an_unchanged_one(tmp_path: Path, record: Record, size: Size) -> None:
    project = Project.make(tmp_path / "project", lock_text(small=True))
    project.set_up()
    before = project.snapshot()
    ours, python = [], []
    for _ in range(size.rounds):
        with Watch() as watch:
            told = project.set_up()
        ours.append(watch.seconds)
        with Watch() as watch:
            run([sys.executable, "-c", "pass"], tmp_path, clean())
        python.append(watch.seconds)
    after = project.snapshot()
    written = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    written -= {project.root / layout.job_log_file("setup_environment")}
    assert "nothing to do: it stands already" in told
    record(count("files that a setup job with nothing to do writes, besides its log", len(written)).toward(at_most(0)))
    assert not written
    record(ratio("setup job with nothing to do", ours, "`python -c pass`", python))
    above = [one - other for one, other in zip(ours, python, strict=True)]
    record(count("setup job with nothing to do: seconds above Python's start", *above).toward(at_most(0.5)))


@pytest.mark.short
def test_files_that_nodes_open_far_away(shared: Path, tmp_path: Path, record: Record) -> None:
    """Several nodes of one environment, from the shared files and from copies of their own."""
    if kind_of(tmp_path) == kind_of(shared):
        pytest.skip("needs a temporary directory that is not in memory")
    project = Project.make(shared / "project", lock_text(small=True))
    far = slow_files(shared, tmp_path)
    project.set_up()
    assert not (project.environment / layout.COPY_NOTE).exists(), "nothing is copied where files are near"
    from_shared = start_nodes(far, project, tmp_path)
    project.remove(project.environment)
    assert "nodes make a copy of their own" in project.set_up(**far.variables(tmp_path / "setup", FAR))
    copied = start_nodes(far, project, tmp_path)
    record(
        count("files opened far away by a start from the shared environment", *(start.opens for start in from_shared))
    )
    record(count("the same from a copy of its own", *(start.opens for start in copied)))
    fewer = [one.opens / other.opens for one, other in zip(from_shared, copied, strict=True)]
    record(count("how many times fewer", *fewer).toward(at_least(FEWER)))
    assert min(fewer) >= FEWER
    assert all("running from a copy of the environment" in start.told for start in copied)
    assert not any(start.told for start in from_shared)
    assert not list(tmp_path.glob("copied-*/cai-deploy-*/*")), "copies go with their nodes"


@pytest.mark.short
def test_what_bytecode_is_worth(shared: Path, tmp_path: Path, record: Record, size: Size) -> None:
    """One import, as every process of a node begins with it."""
    project = Project.make(shared / "project", lock_text(small=size.short))
    what, imports = ("a few packages", SMALL_IMPORTS) if size.short else ("Ray", "import ray")
    project.set_up()
    plain = project.environment.with_name("plain")
    project.sync(plain)
    far, counter = slow_files(shared, tmp_path), tmp_path / "opens"
    took: dict[str, list[float]] = {"near": [], "far": [], "near plain": [], "far plain": []}
    opened: dict[str, int] = {}
    for _ in range(size.rounds):
        for how, seconds in took.items():
            environment = plain if "plain" in how else project.environment
            distance = far.variables(counter, FAR if "far" in how else 0)
            with Watch() as watch:
                program = [str(environment / "bin" / "python"), "-c", imports]
                run(program, tmp_path, {**clean(), **distance, "PYTHONDONTWRITEBYTECODE": "1"})
            seconds.append(watch.seconds)
            opened[how] = opens(counter)
    figure = f"import of {what}"
    record(ratio(f"{figure}, files far away", took["far"], "files on the own disk", took["near"]))
    record(ratio(f"{figure} without bytecode", took["near plain"], "with", took["near"]))
    record(ratio(f"{figure} without bytecode, files far away", took["far plain"], "with", took["far"]))
    record(count(f"files opened by the {figure}", opened["near"]))
    record(count(f"files opened by the {figure} without bytecode", opened["near plain"]))
    assert opened["near"] < opened["near plain"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the pods")
@pytest.mark.timeout(3600)
def test_heads_whose_files_are_far_away(shared: Path, tmp_path: Path, record: Record, size: Size) -> None:
    """Ray itself, by the launcher. That an archive is there must cost nothing where files are near."""
    project = Project.make(shared / "project", lock_text(small=False))
    far = slow_files(shared, tmp_path)
    project.set_up(**far.variables(tmp_path / "setup", FAR))
    note = project.environment / layout.COPY_NOTE
    aside = note.with_suffix(".aside")
    found: dict[str, list[HeadStart]] = {"copied": [], "far": [], "archive": [], "near": []}
    for number in range(size.rounds):
        for how, starts in found.items():
            if how in ("far", "near"):
                note.rename(aside)
            distance = VERY_FAR if how in ("copied", "far") else 0
            starts.append(start_head(far, project, tmp_path / f"{how}-{number}", distance))
            if aside.exists():
                aside.rename(note)
    counted = {how: [start.opens for start in starts] for how, starts in found.items()}
    up = {how: [start.up_after for start in starts] for how, starts in found.items()}
    # Not those of the head whose files are so far away that Ray gives its first try up: it opens all of them twice.
    record(count("files that a head opens in the shared environment", *counted["near"]))
    record(count("the same with a copy of its own", *counted["copied"]))
    fewer = [one / other for one, other in zip(counted["near"], counted["copied"], strict=True)]
    record(count("how many times fewer", *fewer).toward(at_least(FEWER)))
    record(ratio("start of a head with a copy, files far away", up["copied"], "without", up["far"]))
    record(ratio("start of a head with an archive that it does not need", up["archive"], "without", up["near"]))
    assert min(fewer) >= FEWER


def start_head(far: SlowFiles, project: Project, own_disk: Path, milliseconds: float) -> HeadStart:
    own_disk.mkdir()
    counter = own_disk / "opens"
    environ = {**clean(), **far.variables(counter, milliseconds), "TMPDIR": str(own_disk)}
    head = HeadStart(project.root, project.environment.name, own_disk.name, counter, environ)
    try:
        head.wait()
    finally:
        head.end()
        shutil.rmtree(own_disk, ignore_errors=True)
    return head


class Started:
    """One start of a node by its launcher, with imports in place of the agent: what it told, and opened far away."""

    def __init__(self, far: SlowFiles, project: Project, own_disk: Path) -> None:
        own_disk.mkdir()
        self._counter = own_disk / "opens"
        self._log = project.root / layout.node_log_file(own_disk.name, "head")
        environ = {**clean(), **far.variables(self._counter, VERY_FAR), "TMPDIR": str(own_disk)}
        text = launcher_text(own_disk.name, project.environment.name)
        assert AGENT in text
        launcher = own_disk / "launcher.py"
        launcher.write_text(text.replace(AGENT, f'"-c", "{SMALL_IMPORTS}"'))
        program = bring_program(project.root)
        self._process = subprocess.Popen([sys.executable, "-S", launcher], cwd=project.root, env={**environ, **program})

    def wait(self) -> None:
        assert self._process.wait(timeout=120) == 0
        self.told = self._log.read_text() if self._log.exists() else ""
        self.opens = opens(self._counter)


def start_nodes(far: SlowFiles, project: Project, tmp_path: Path) -> list[Started]:
    """All at one moment, each with a disk of its own."""
    kind = "copied" if (project.environment / layout.COPY_NOTE).exists() else "shared"
    nodes = [Started(far, project, tmp_path / f"{kind}-{number}") for number in range(NODES)]
    for node in nodes:
        node.wait()
    return nodes
