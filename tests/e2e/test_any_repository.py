"""An installed wheel, and clusters of whatever there is: nothing at all, and repositories of others that are private.

No repository here has anything of ours in it but a specification, in a directory below its top.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from cai_deploy import layout
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.transport import Transport
from cai_deploy.cli.progress import Story
from cai_deploy.clock import SystemClock
from cai_deploy.config import parse
from cai_deploy.places.cai import CaiPlace
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.site import site_of
from cai_deploy.reconcile import Goal, StepFailed, converge
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Wanted
from tests.e2e.conftest import REPOSITORY, Shell, git
from tests.e2e.git_servers import SSHD, over_http, over_ssh
from tests.e2e.jobs import exported

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NODES = """
head: {cpu: 1, memory_gb: 2}
workers: [{replicas: 0, cpu: 1, memory_gb: 2}]
timeouts: {launch: 480, join: 240, stop: 10}
"""
TOKEN = f"planted-token-{secrets.token_hex(8)}"
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A place for all of it: short, as sockets stand in it."""
    made = Path(tempfile.mkdtemp(prefix="cai-any-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def python(root: Path) -> Path:
    """An environment with nothing but our wheel, and what it asks for."""
    source, venv = root / "source", root / "venv"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(source)], check=True)
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", root / "dist", source], check=True)
    shutil.rmtree(source)
    (wheel,) = (root / "dist").glob("*.whl")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", venv / "bin/python", wheel], check=True)
    return venv / "bin/python"


@pytest.fixture(scope="module")
def shell(root: Path, python: Path) -> Iterator[Shell]:
    """A person with the wheel, in an empty directory."""
    (root / "empty").mkdir()
    (root / "home").mkdir()
    person = Shell(root / "empty", root / "home", python=str(python))
    person.ok("workspace", "start")  # by name, so that it outlives each cluster
    yield person
    person.run("workspace", "stop")
    assert not person.processes()


@pytest.fixture(scope="module")
def repository(root: Path) -> Path:
    """A bare repository of somebody else's: two commits, and all that we need is in a directory of it."""
    work = root / "work"
    (work / "services/model/src").mkdir(parents=True)
    git(root, "init", "-q", "-b", "trunk", str(work))
    (work / "README").write_text("one")
    shutil.copy(REPOSITORY / "requirements/cluster.txt", work / "services/model/locked.txt")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    (work / "README").write_text("two")
    git(work, "commit", "-qam", "two")
    (root / "served").mkdir()
    git(root, "clone", "-q", "--bare", str(work), str(root / "served/mine.git"))
    return work


def client_of(shell: Shell) -> Client:
    exports = exported(shell)
    return Client(Transport(exports["CML_HOST"], exports["CML_API_KEY"]))


def project_directory(shell: Shell, name: str) -> Path:
    """Where the local workspace keeps the project called ``name``."""
    project = client_of(shell).projects.find(name)
    assert project
    return shell.home / "workspace/projects" / project.id


def import_paths_of_raylets(shell: Shell) -> list[str]:
    """Where the tasks of each node look for modules."""
    found = []
    for pid in shell.processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "raylet":
                variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
                found += [each for each in variables if each.startswith("PYTHONPATH=")] or ["PYTHONPATH="]
    assert len(found) == 2, found
    return found


def standing_in(shell: Shell, directory: Path, specification: str) -> Shell:
    """The same person elsewhere: below the directory of a specification."""
    (directory / "cai-deploy.yaml").write_text(specification)
    return Shell(directory / "src", shell.home, python=shell.python, environ=dict(shell.environ))


def test_a_wheel_in_an_empty_directory_is_enough(shell: Shell) -> None:
    (shell.checkout / "cai-deploy.yaml").write_text(NODES)
    first = shell.ok("launch", "--workers", "1")
    assert "2 nodes ALIVE" in first.stderr
    assert "nothing to do: 2 nodes ALIVE" in shell.ok("launch", "--workers", "1").stderr
    project = project_directory(shell, "ray")
    assert not (project / ".git").exists()
    assert not [path for path in import_paths_of_raylets(shell) if layout.CODE_DIR in path], "tasks import their own"

    (project / layout.PROGRAM_FILE).write_text('{"program": "older"}')  # as if it had been launched by another version
    planned = shell.ok("plan", "--workers", "1").stdout.splitlines()
    assert planned == [f"update program {layout.PROGRAM_FILE}: differs from what is wanted"], "nodes run what they did"
    shell.ok("launch", "--workers", "1")
    assert "nothing to do" in shell.ok("launch", "--workers", "1").stderr

    assert "2 nodes removed" in shell.ok("down").stderr
    assert "nothing to do" in shell.ok("down").stderr
    left = {path.relative_to(project).as_posix() for path in project.glob("*")}
    ours = {path.name for path in (project / layout.STATE_DIR).iterdir()}
    assert left == {layout.STATE_DIR}
    assert ours <= {".gitignore", "environments", "logs", "clusters"}, "what was uploaded is gone"
    assert not client_of(shell).jobs.list(project.name)
    assert "project ray removed" in shell.ok("down", "--project").stderr
    assert not project.exists()


@pytest.mark.skipif(os.geteuid() != 0 or not Path(SSHD).exists(), reason="needs an sshd, and root to run it")
def test_a_private_repository_over_ssh_is_cloned_with_its_key(shell: Shell, repository: Path, root: Path) -> None:
    """As far as the code: what comes after it is no other than elsewhere."""
    with over_ssh(root / "sshd") as (address, key):
        spec = parse(f"project: {{name: keyed, git_url: '{address}{root}/served/mine.git', git_key_file: {key}}}")
        assert bring_code(shell, spec) == ["project", "program", "credential", "code"]
        assert bring_code(shell, spec) == []
        project = project_directory(shell, "keyed")
        held = project / layout.git_access_file("key")
        assert (stat.S_IMODE(held.stat().st_mode), stat.S_IMODE(held.parent.stat().st_mode)) == (0o600, 0o700)
        assert "127.0.0.1" in (held.parent / "known_hosts").read_text()
        assert (project / "README").read_text() == "two"
        assert git(project, "rev-parse", "--abbrev-ref", "HEAD") == "trunk\n"
        secret = key.read_text().splitlines()[1]
        assert [file for file in told(shell, project) if secret in file.read_text(errors="replace")] == [held]
        stranger = parse(spec.to_json().replace("keyed", "refused").replace(str(key), str(root / "sshd/host_key")))
        with pytest.raises(StepFailed, match="code HEAD") as caught:
            bring_code(shell, stranger)
        assert "Permission denied" in caught.value.why


def bring_code(shell: Shell, spec: ClusterSpec, *, newest: bool = False, **environ: str) -> list[str]:
    """Have the project of ``spec`` hold its code, by the deployer's own means; the kinds of the steps that it took."""
    exports = exported(shell)
    host, key = exports["CML_HOST"], exports["CML_API_KEY"]
    site = site_of(spec.project, None, host, sync_code=newest, environ=environ)
    place = CaiPlace(Client(Transport(host, key)), ApplicationHttp(host, key), site, project_id=None, say=print)

    def want(seen: CaiObservation) -> Wanted:
        ground = place.build(spec, seen).ground
        return Wanted(tuple(each for each in ground if each.kind in ("project", "program", "credential", "code")))

    goal = Goal(lambda: place.observe(spec), want, dict.fromkeys(("project", "code"), 120.0), "test")
    done = converge(place, goal, clock=SystemClock(), progress=Story())
    return [step.kind for step in done.applied]


def test_a_private_repository_over_http_is_cloned_with_its_token(shell: Shell, repository: Path, root: Path) -> None:
    """As far as the code too; and no program on this machine has the token in its arguments meanwhile."""
    with over_http(root / "served", TOKEN) as address, watching_command_lines() as seen:
        pinned, newest = (git(repository, "rev-parse", ref).strip() for ref in ("HEAD^", "HEAD"))
        name = f"told-{secrets.token_hex(3)}"
        text = f"project: {{name: {name}, git_url: '{address}/mine.git', git_token_env: MY_TOKEN, git_ref: REF}}\n"
        at_pinned, at_trunk = (parse(text.replace("REF", ref)) for ref in (pinned, "trunk"))
        here = standing_in(shell, repository / "services/model", NODES + text.replace("REF", pinned))
        without = here.run("launch", "--workers", "0")
        assert (without.status, without.stderr.splitlines()[1:]) == (
            2,
            [
                "error: project.git_token_env: MY_TOKEN is not set",
                "hint: launch from where it is at hand: the project's clone needs it",
            ],
        )
        here.environ["MY_TOKEN"] = TOKEN
        planned = here.ok("plan", "--requests", "--json")
        assert bring_code(shell, at_pinned, MY_TOKEN=TOKEN) == ["project", "program", "credential", "code"]
        assert bring_code(shell, at_pinned, MY_TOKEN=TOKEN) == []
        project = project_directory(shell, name)
        assert (project / "README").read_text() == "one", "the pinned commit is what runs"
        again = here.ok("plan")
        assert f"code: {pinned[:12]}\n" in again.stderr

        assert bring_code(shell, at_trunk, newest=True, MY_TOKEN=TOKEN) == ["code"]
        assert git(project, "rev-parse", "HEAD").strip() == newest
        held = project / layout.git_access_file("token")
        assert stat.S_IMODE(held.stat().st_mode) == 0o600
        assert address in (project / ".git/config").read_text()
        assert not [ran for ran in (planned, again) if TOKEN in ran.stdout + ran.stderr]
        assert [file for file in told(shell, project) if TOKEN in file.read_text(errors="replace")] == [held]
        assert "nothing to do" in here.ok("down").stderr
        assert not [file for file in told(shell, project) if TOKEN in file.read_text(errors="replace")]
    assert not seen, "the token stood in the arguments of a program"


def told(shell: Shell, project: Path) -> list[Path]:
    """Every file of the workspace and of the project, but for the environment's packages."""
    inside = [file for file in shell.home.rglob("*") if "site-packages" not in file.parts]
    return [file for file in {*inside, *project.rglob("*.git/*")} if file.is_file() and not file.is_symlink()]


@contextlib.contextmanager
def watching_command_lines() -> Iterator[set[str]]:
    """While it lasts: the command lines on this machine in which the token was seen."""
    over, seen = Event(), set()

    def watch() -> None:
        while not over.wait(0.05):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    words = entry.read_bytes().decode(errors="replace")
                    seen.update([words] if TOKEN in words else [])

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
