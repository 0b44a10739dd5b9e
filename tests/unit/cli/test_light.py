"""What answers at once, because it imports next to nothing: help, versions, completion, the package itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.test_command_line import PACKAGE_ROOT, Ran, run

HEAVY = {"aiohttp", "asyncio", "asyncssh", "cryptography", "jinja2", "pydantic", "ray", "requests", "rich", "tenacity"}

LOOK = """
import json, sys
sys.argv = ["cai-deploy", *json.loads(sys.argv[1])]
if sys.argv[1:] == ["import"]:
    import cai_deploy
else:
    from cai_deploy.__main__ import main
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported(directory: Path, *arguments: str, **environ: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(arguments)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr)}


@pytest.mark.parametrize("arguments", [["import"], ["--help"], ["--version"], ["completion", "zsh"]], ids=" ".join)
def test_nothing_heavy_is_imported(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "cai-deploy.yaml").write_text("ray_version: 2.59.0\n")
    modules = imported(tmp_path, *arguments)
    assert not modules & HEAVY
    assert "yaml" not in modules or arguments == ["--version"]
    assert "click" not in modules or arguments != ["import"]


@pytest.mark.parametrize("words", ["", "st", "scale --gr", "logs wor"])
def test_completion_imports_one_verb_at_the_most(tmp_path: Path, words: str) -> None:
    asked = {"_CAI_DEPLOY_COMPLETE": "bash_complete", "COMP_WORDS": f"cai-deploy {words}"}
    modules = imported(tmp_path, **asked, COMP_CWORD=str(max(len(words.split()), 1)))
    assert not modules & {"aiohttp", "asyncssh", "ray", "rich"}


@pytest.mark.parametrize(
    ("written", "ray"),
    [
        (None, "2.60.0 (the default: there is no cai-deploy.yaml here)"),
        ("ray_version: 2.59.0\n", "2.59.0 (as cai-deploy.yaml says)"),
        ("name: other\n", "2.60.0 (as cai-deploy.yaml says)"),
        ("name: [\n", "(not known: cai-deploy.yaml cannot be read)"),
    ],
)
def test_the_versions(tmp_path: Path, written: str | None, ray: str) -> None:
    if written is not None:
        (tmp_path / "cai-deploy.yaml").write_text(written)
    ran = run(tmp_path, "--version")
    assert (ran.status, ran.err) == (0, "")
    python = ".".join(map(str, sys.version_info[:3]))
    assert ran.out.splitlines()[1:] == [f"Python {python}", f"Ray {ray}"]
    assert ran.out.startswith("cai_deploy ")


def completed(directory: Path, *words: str) -> list[str]:
    asked = {"_CAI_DEPLOY_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("cai-deploy", *words))}
    program = "import sys; sys.argv = ['cai-deploy']; from cai_deploy.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), **asked, "COMP_CWORD": str(len(words))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_what_a_shell_is_offered(tmp_path: Path) -> None:
    assert completed(tmp_path, "l") == ["launch", "logs"]
    assert completed(tmp_path, "jobs", "st") == ["status", "stop"]
    assert "--workers" in completed(tmp_path, "launch", "--w")
    (tmp_path / "cai-deploy.yaml").write_text("workers: [{name: cpu}, {name: gpu, replicas: 2}]\n")
    assert completed(tmp_path, "scale", "--group", "g") == ["gpu"]
    assert completed(tmp_path, "logs", "g") == ["gpu-0", "gpu-1"]
    assert completed(tmp_path, "logs", "h") == ["head"]
    (tmp_path / "cai-deploy.yaml").write_text("workers: {}\n")
    assert completed(tmp_path, "scale", "--group", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(tmp_path: Path, shell: str) -> None:
    ran: Ran = run(tmp_path, "completion", shell)
    assert ran.status == 0
    assert "_CAI_DEPLOY_COMPLETE" in ran.out
    assert run(tmp_path, "completion", "tcsh").status == 2
