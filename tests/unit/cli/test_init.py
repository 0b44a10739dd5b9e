"""``init``: the first file of a person, from options, from questions, and from what is found here."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateProjectRequest
from cai_deploy.api.transport import Transport
from cai_deploy.cli.init_answers import project_named_after
from cai_deploy.config import parse
from cai_deploy.spec import ClusterSpec
from cai_deploy.testing import LocalWorkspace
from tests.unit.cli.test_command_line import PACKAGE_ROOT, run

EXAMPLE = (PACKAGE_ROOT / "cai-deploy.yaml").read_text()
NEXT = "next: python -m cai_deploy doctor, then: python -m cai_deploy launch\n"


def file(directory: Path) -> str:
    return (directory / "cai-deploy.yaml").read_text()


def test_options_are_put_into_the_annotated_file_and_the_second_time_nothing_is_done(tmp_path: Path) -> None:
    words = ("init", "--project", "mine", "--workers", "3", "--cpu", "16", "--memory", "64.5", "--gpu", "1")
    ran = run(tmp_path, *words, CML_API_KEY="s3cret-key")
    assert (ran.status, ran.out, ran.err) == (0, "", f"wrote cai-deploy.yaml\n{NEXT}")
    node = {"cpu": 16, "memory_gb": 64.5}
    assert parse(file(tmp_path)) == ClusterSpec.model_validate(
        {"project": {"name": "mine"}, "head": node, "workers": [{**node, "replicas": 3, "gpu": 1}]}
    )
    assert "  cpu: 16           # vCPU\n" in file(tmp_path)
    assert "s3cret" not in file(tmp_path)
    comments = [line for line in EXAMPLE.partition("\n\n")[2].splitlines() if line.strip().startswith("#")]
    assert set(comments) <= set(file(tmp_path).splitlines())
    before = (tmp_path / "cai-deploy.yaml").stat().st_mtime_ns
    for again in (words, ("init",)):
        ran = run(tmp_path, *again)
        assert (ran.status, ran.out, ran.err) == (0, "", "nothing to do: cai-deploy.yaml is here\n")
    assert (tmp_path / "cai-deploy.yaml").stat().st_mtime_ns == before


def test_what_somebody_wrote_is_not_overwritten_unless_they_say_so(tmp_path: Path) -> None:
    mine = "name: precious\nworkers: [{replicas: 5}]  # do not touch\n"
    (tmp_path / "cai-deploy.yaml").write_text(mine)
    assert run(tmp_path, "init").err == "nothing to do: cai-deploy.yaml is here\n"
    assert run(tmp_path, "init", "--workers", "5").err == "nothing to do: cai-deploy.yaml is here\n"
    ran = run(tmp_path, "init", "--workers", "2", "--place", "compose")
    assert (ran.status, ran.err) == (
        2,
        "error: cai-deploy.yaml is here already, and says otherwise\n"
        "  place is cai, and compose is asked for\n"
        "  workers.replicas is 5, and 2 is asked for\n"
        "hint: edit it, or have it written anew with --force\n",
    )
    assert file(tmp_path) == mine
    assert run(tmp_path, "init", "--workers", "2", "--place", "compose", "--force").status == 0
    assert parse(file(tmp_path)).workers[0].replicas == 2


def test_hosts_of_your_own(tmp_path: Path) -> None:
    ran = run(tmp_path, "init", "--place", "ssh", "--host", "10.0.0.4", "--host", "gpu1.example.com")
    assert (ran.status, ran.err) == (0, f"wrote cai-deploy.yaml\n{NEXT}")
    assert [host.address for host in parse(file(tmp_path)).hosts] == ["10.0.0.4", "gpu1.example.com"]
    assert "CML_HOST" not in file(tmp_path)
    assert run(tmp_path, "init", "--place", "ssh", "--host", "10.0.0.4", "--host", "gpu1.example.com").status == 0
    assert run(tmp_path, "init", "--place", "ssh", "--host", "10.0.0.5").status == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--place", "ssh"], "error: --place ssh needs hosts\nhint: add --host ADDRESS for each\n"),
        (["--host", "a", "--host", "b"], "error: there is one workspace, and --host names several\n"),
        (["--place", "slurm", "--runtime", "x"], "error: --runtime is an image of a workspace\n"),
        (
            ["--place", "compose", "--host", "x"],
            "error: --host is the workspace's address or, with --place ssh, a host\n",
        ),
        (["--host", "https://me:s3cret@ml.example.com"], "error: the address of the workspace is not usable\n"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, words: list[str], told: str) -> None:
    ran = run(tmp_path, "init", *words)
    assert ran.status == 2
    assert ran.err.startswith(told)
    assert "s3cret" not in ran.err
    assert not (tmp_path / "cai-deploy.yaml").exists()


def test_a_workspace_by_its_address(tmp_path: Path) -> None:
    ran = run(tmp_path, "init", "--host", "ML.example.com/", "--project", "p")
    assert ran.err == (
        "wrote cai-deploy.yaml\n"
        "to use the workspace: export CML_HOST=https://ml.example.com; export CML_API_KEY=<an API v2 key of it>\n"
        f"{NEXT}"
    )
    assert "#   export CML_HOST=https://ml.example.com\n" in file(tmp_path)


def test_within_a_session_the_project_is_known_and_runtimes_are_checked(
    tmp_path: Path, local_workspace: LocalWorkspace
) -> None:
    client = Client(Transport(local_workspace.host, local_workspace.api_key))
    project = client.projects.create(CreateProjectRequest(name="a project of mine", template="local"))
    session = {
        "CDSW_DOMAIN": local_workspace.host,
        "CDSW_APIV2_KEY": local_workspace.api_key,
        "CDSW_PROJECT_ID": project.id,
    }
    image = client.runtimes.list()[0].image_identifier
    wrong = run(tmp_path, "init", "--runtime", image + "0", **session)
    assert wrong.err == (
        "project: a project of mine (the project that this runs in)\n"
        f"error: the workspace has no runtime {image}0\nhint: did you mean {image}?\n"
    )
    ran = run(tmp_path, "init", "--runtime", image, **session)
    assert ran.err == f"project: a project of mine (the project that this runs in)\nwrote cai-deploy.yaml\n{NEXT}"
    spec = parse(file(tmp_path))
    assert (spec.project.name, spec.head.runtime, spec.workers[0].runtime) == ("a project of mine", image, image)
    assert local_workspace.api_key not in file(tmp_path)


def test_on_a_terminal_it_asks_for_what_nobody_said(tmp_path: Path, local_workspace: LocalWorkspace) -> None:
    answers = ["", "", "asked", "7", "1.5", "", "", ""]
    terminal, theirs = pty.openpty()
    os.write(terminal, "".join(f"{answer}\n" for answer in answers).encode())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CML_", "CDSW_", "CAI_"))}
    done = subprocess.run(
        [sys.executable, "-m", "cai_deploy", "init"],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(PACKAGE_ROOT), **local_workspace.env()},
        stdin=theirs,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert done.returncode == 0, shown
    assert "vCPU of each node [2]: " in shown
    assert f"address of the workspace [{local_workspace.host}]: " in shown
    spec = parse(file(tmp_path))
    assert (spec.place, spec.project.name, spec.workers[0].replicas) == ("cai", "asked", 7)
    assert (spec.head.cpu, spec.workers[0].memory_gb, spec.head.runtime) == (1.5, 4, None)


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://example.com/you/your-repository.git", "your-repository"),
        ("git@example.com:you/theirs", "theirs"),
        ("git@example.com:lonely.git", "lonely"),
        ("", "here"),
    ],
)
def test_what_a_project_is_called(remote: str, name: str) -> None:
    assert project_named_after(Path("/work/here"), remote) == name
