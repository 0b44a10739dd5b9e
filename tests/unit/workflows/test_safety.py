"""Workflows are valid, need no more than they must, and let nobody else's text become a command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow_files import ACTION, REPOSITORY, WORKFLOWS, all_steps, load

ACTIONS = {
    "actions/checkout": "11bd71901bbe5b1630ceea73d27597364c9af683",
    "actions/download-artifact": "d3f86a106a0bac45b974a628896c90dbdf5c8093",
    "actions/github-script": "60a0d83039c74a4aee543508d2ffcb1c3799cdea",
    "actions/setup-python": "a26af69be951a213d495a4c3e4e4022e16d87065",
    "actions/upload-artifact": "ea165f8d65b6e75b540449e92b4886f43607fa02",
    "pypa/gh-action-pypi-publish": "76f52bc884231f62b9a034ebfe128415bbaabdfc",
}
"""Whom we trust, at the commit that we have looked at."""

WRITES = {
    ("deploy.yml", "comment", "pull-requests"),
    ("release.yml", "announce", "contents"),
    ("release.yml", "publish", "id-token"),
}
"""All that any job may write."""


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_workflows() -> None:
    assert {file.name for file in WORKFLOWS} == {"audit.yml", "ci.yml", "deploy.yml", "release.yml"}


def test_workflows_and_action_keep_to_the_schemas() -> None:
    checked(program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    checked(program("check-jsonschema"), "--builtin-schema", "vendor.github-actions", ACTION)


def test_an_attacker_finds_nothing() -> None:
    checked(program("zizmor"), "--offline", "--no-progress", REPOSITORY / ".github", ACTION)


def test_actions_are_pinned_to_commits_that_are_named() -> None:
    used = [(str(step), step.said["uses"].split("@")) for step in all_steps() if "uses" in step.said]
    assert used
    assert [where for where, (action, commit) in used if ACTIONS.get(action) != commit] == []
    for file in (*WORKFLOWS, ACTION):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if re.match(r"^ +(- )?uses: ", line)]
        assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_job_has_only_the_permissions_that_it_states(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {}, "nothing by default"
    for name, job in workflow["jobs"].items():
        granted = job["permissions"]
        assert {"contents": "read"}.items() <= granted.items() or "checkout" not in str(job["steps"])
        written = {(file.name, name, what) for what, how in granted.items() if how != "read"}
        assert written <= WRITES


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_jobs_end_and_workflows_do_not_race(file: Path) -> None:
    workflow = load(file)
    assert workflow["concurrency"]["group"]
    assert [name for name, job in workflow["jobs"].items() if not job.get("timeout-minutes")] == []


def test_what_deploys_waits_and_is_never_cut_off() -> None:
    """Of two pushes one waits: its group is the same, and nothing of a push is cancelled."""
    concurrency = load(REPOSITORY / ".github/workflows/deploy.yml")["concurrency"]
    assert concurrency["group"] == "deploy-${{ github.event.pull_request.number || 'main' }}"
    assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_no_expression_becomes_part_of_a_program() -> None:
    """Not even a harmless one: a value reaches a script as a variable, so nobody has to judge which are harmless."""
    assert [str(step) for step in all_steps() if "${{" in step.said.get("run", "")] == []
    assert [str(step) for step in all_steps() if "${{" in step.said.get("with", {}).get("script", "")] == []


def test_secrets_reach_programs_by_variables_alone() -> None:
    for step in all_steps():
        without_env = {key: value for key, value in step.said.items() if key != "env"}
        assert not re.search(r"secrets\.|github\.token|inputs\.api-key", str(without_env)), str(step)
    for file in WORKFLOWS:
        workflow = load(file)
        outside = {key: value for key, value in workflow.items() if key != "jobs"}
        outside["jobs"] = [
            {key: value for key, value in job.items() if key != "steps"} for job in workflow["jobs"].values()
        ]
        assert "secrets." not in str(outside), f"{file.name}: a secret is for the steps that use it"


def test_installers_see_no_key() -> None:
    """What a package does while it is installed is done without anybody's key."""
    installing = [step for step in all_steps() if "pip install" in step.said.get("run", "")]
    assert installing
    assert [str(step) for step in installing if "KEY" in str(step.said.get("env"))] == []


def test_a_clone_keeps_no_token() -> None:
    clones = [step for step in all_steps() if step.said.get("uses", "").startswith("actions/checkout@")]
    assert clones
    assert [str(step) for step in clones if step.said["with"].get("persist-credentials") != "false"] == []


def test_paths_of_a_push_and_of_a_pull_request_are_the_same_and_exist() -> None:
    events = load(REPOSITORY / ".github/workflows/deploy.yml")["on"]
    assert events["push"]["paths"] == events["pull_request"]["paths"]
    assert [path for path in events["push"]["paths"] if not (REPOSITORY / path.removesuffix("/**")).exists()] == []
