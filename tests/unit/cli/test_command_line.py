"""The command line as a person meets it: whole stderr, exit codes, help. Each test runs the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE_ROOT = Path(__file__).parents[3]


@dataclass
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def run(home: Path, *arguments: str, **environ: str) -> Ran:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CML_", "CDSW_", "CAI_"))}
    done = subprocess.run(
        [sys.executable, "-m", "cai_deploy", *arguments],
        cwd=home,
        env={**kept, "PYTHONPATH": str(PACKAGE_ROOT), "CAI_DEPLOY_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_broken_specification(home: Path) -> None:
    (home / "cai-deploy.yaml").write_text("workers: [{replica: 2}]\nhead: {cpu: many}\n")
    ran = run(home, "launch")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "error: cai-deploy.yaml is not a valid specification\n"
        "  head.cpu: must be a valid number, unable to parse string as a number, not 'many' (line 2, column 13)\n"
        "  workers[0].replica: unknown key; did you mean 'replicas'? (line 1, column 12)\n"
        "hint: compare with the annotated example: python -m cai_deploy config --example\n"
    )


def test_a_workspace_without_a_key(home: Path) -> None:
    ran = run(home, "status", CML_HOST="https://ml.example.com")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "error: CML_HOST names a workspace, but there is no key for it\n"
        "hint: set CML_API_KEY to an API v2 key (User Settings > API Keys in the workspace)\n"
    )


def test_a_workspace_that_does_not_answer(home: Path) -> None:
    ran = run(home, "status", CML_HOST="http://127.0.0.1:9", CML_API_KEY="s3cret-key")
    assert ran.status == 5
    assert ran.err.startswith("place: the workspace at http://127.0.0.1:9 (from CML_HOST)\nerror: ")
    assert "\nhint: " in ran.err
    assert "s3cret-key" not in ran.err


def test_an_error_as_json(home: Path) -> None:
    ran = run(home, "status", "--json", CML_HOST="https://ml.example.com")
    assert ran.status == 2
    assert json.loads(ran.out) == {
        "error": {
            "what": "CML_HOST names a workspace, but there is no key for it",
            "why": "",
            "next_step": "set CML_API_KEY to an API v2 key (User Settings > API Keys in the workspace)",
            "exit_code": 2,
        }
    }


def test_a_misspelt_option_and_a_misspelt_verb(home: Path) -> None:
    option = run(home, "launch", "--worker", "2")
    assert option.status == 2
    assert "No such option" in option.err
    verb = run(home, "lunch")
    assert verb.status == 2
    assert "No such command 'lunch'" in verb.err


def test_help_names_every_verb_and_imports_none(home: Path) -> None:
    ran = run(home, "--help", PYTHONVERBOSE="")
    assert ran.status == 0
    for verb in (
        "launch",
        "plan",
        "status",
        "scale",
        "deploy",
        "down",
        "watchdog",
        "logs",
        "render",
        "config",
        "workspace",
    ):
        assert f"\n  {verb} " in ran.out
        assert run(home, verb, "--help").status == 0
    heavy = {"pydantic", "requests", "rich", "aiohttp"}
    check = f"import sys, cai_deploy.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=PACKAGE_ROOT, check=False).returncode == 0


def test_the_example_is_shown_and_is_valid(home: Path) -> None:
    (home / "mine.yaml").write_text(run(home, "config", "--example").out)
    checked = run(home, "config", "mine.yaml")
    assert checked.status == 0
    assert json.loads(checked.out)["name"] == "ray"
    assert json.loads(run(home, "config", "--schema").out)["title"] == "cai-deploy.yaml"


def test_the_local_workspace_by_hand(home: Path) -> None:
    try:
        assert run(home, "workspace", "status").out.startswith("running: False")
        assert run(home, "workspace", "start").status == 0
        exports = dict(
            line.removeprefix("export ").split("=", 1) for line in run(home, "workspace", "env").out.splitlines()
        )
        assert json.loads(run(home, "workspace", "status", "--json").out)["host"] == exports["CML_HOST"]

        wrong = run(home, "status", CML_HOST=exports["CML_HOST"], CML_API_KEY="wrong")
        assert wrong.status == 4
        assert "hint: " in wrong.err

        right = run(home, "status", "--json", **exports)
        assert json.loads(right.out) == {
            "cluster": "ray",
            "place": "cai",
            "converged": False,
            "nodes": [],
            "connection": None,
        }
        assert run(home, "scale", "--workers", "2", **exports).err.endswith(
            "error: there is no cluster ray to scale\nhint: make it with `launch`\n"
        )
        assert run(home, "down", **exports).err.endswith("nothing to do: no nodes\n")
        assert run(home, "watchdog", "--cluster", "gpu", **exports).err.endswith(
            "nothing to do: there is no cluster gpu here\n"
        )
    finally:
        assert run(home, "workspace", "stop").status == 0
    assert "nothing to do" in run(home, "workspace", "stop").err


def test_a_cluster_whose_time_is_over_is_not_launched(home: Path) -> None:
    (home / "cai-deploy.yaml").write_text("watchdog: {}\nexpires_at: 2026-01-31T18:00:00+01:00\n")
    ran = run(home, "launch", CML_HOST="http://127.0.0.1:9", CML_API_KEY="key")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "place: the workspace at http://127.0.0.1:9 (from CML_HOST)\n"
        "error: cluster ray is not launched: it expired at 2026-01-31T18:00:00+01:00\n"
        "  its watchdog would put it to sleep at once\n"
        "hint: set expires_at to a later time, or leave it out\n"
    )


@pytest.mark.parametrize("wrong", [("--config", "missing.yaml"), ("--workers", "-1"), ("--no-such-option",)])
def test_no_error_is_taken_for_a_change(home: Path, wrong: tuple[str, ...]) -> None:
    assert run(home, "plan", *wrong).status == 2
    ran = run(home, "plan", "--exit-code", "--json", *wrong)
    assert ran.status == 1
    assert not ran.out or json.loads(ran.out)["error"]["exit_code"] == 1


def test_a_plan_from_nothing(home: Path) -> None:
    (home / "cai-deploy.yaml").write_text(
        "project: {git_url: 'https://example.com/a.git'}\n"
        "workers: [{replicas: 1, env: {HF_TOKEN: s3cret, OMP_NUM_THREADS: '1'}}]\n"
    )
    try:
        ran = run(home, "plan", "--exit-code")
        assert ran.status == 2
        assert ran.out.splitlines() == [
            "create project ray: does not exist",
            "create program .cai-deploy/code/program.json: does not exist",
            "create environment (known once the code is there): does not exist",
            "create launcher ray_head_launcher.py: does not exist",
            "create launcher ray_worker_launcher.py: does not exist",
            "create specification .cai-deploy/clusters/ray/spec.json: does not exist",
            "create node head: does not exist",
            "create node worker-0: does not exist",
            "create record .cai-deploy/clusters/ray/converged.json: does not exist",
        ]
        shown = run(home, "plan", "--json").out + run(home, "plan", "--requests").out
        assert "s3cret" not in shown
        assert '"HF_TOKEN": "***"' in shown
        assert '"OMP_NUM_THREADS": "1"' in shown
        steps = json.loads(run(home, "plan", "--json").out)["plan"]
        assert steps[0]["request"]["body"]["git_url"] == "https://example.com/a.git"
        assert steps[-2]["request"]["body"]["name"] == "ray-worker-0"
    finally:
        run(home, "workspace", "stop")
