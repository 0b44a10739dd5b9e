"""The manifest with which a workspace imports this repository: valid, and naming only what is really here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cai_deploy.spec import ClusterSpec

REPOSITORY = Path(__file__).parents[3]
MANIFEST = yaml.safe_load((REPOSITORY / ".project-metadata.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("amp-1.0.schema.json").read_text(encoding="utf-8"))
TASKS: list[dict[str, Any]] = MANIFEST["tasks"]
JOBS = [task for task in TASKS if task["type"] == "create_job"]


def test_it_keeps_to_the_specification() -> None:
    jsonschema.validate(MANIFEST, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert date.fromisoformat(MANIFEST["date"])


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"specification_version": 1.0}, {"date": "21.11.2026"}, {"tasks": [{"type": "run_job"}]}],
    ids=str,
)
def test_the_schema_sees_what_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**MANIFEST, **wrong}, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_jobs_are_created_before_they_run_and_each_runs_once() -> None:
    created: list[str] = []
    ran: list[str] = []
    for task in TASKS:
        if task["type"] == "create_job":
            created.append(task["entity_label"])
        else:
            assert task["entity_label"] in created
            ran.append(task["entity_label"])
    assert ran == created == ["setup_environment", "launch_ray_cluster"]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["entity_label"])
def test_each_script_is_here_and_takes_the_arguments(job: dict[str, Any], tmp_path: Path) -> None:
    """Run where there is nothing to do it with: it gets past its arguments, and says what is missing."""
    script = REPOSITORY / job["script"]
    assert script.is_file()
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); exec({script.read_text()!r})"],
        cwd=tmp_path,
        env={"JOB_ARGUMENTS": job["arguments"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode != 0
    assert "JOB_ARGUMENTS" not in told.stderr + told.stdout
    expected = {"setup_environment": "requirements/cluster.txt", "launch_ray_cluster": "no environment is ready"}
    assert expected[job["entity_label"]] in told.stderr + told.stdout


def test_every_variable_is_one_that_the_code_reads() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "cai_deploy").rglob("*.py"))
    assert [name for name in MANIFEST["environment_variables"] if f'"{name}"' not in code] == []


def test_the_environment_is_that_of_the_specification() -> None:
    words = shlex.split(JOBS[0]["arguments"])
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options["--requirements"] == ClusterSpec().environment.requirements
    assert MANIFEST["runtimes"][0]["kernel"] == f"Python {options['--python']}"


def test_nodes_have_the_shared_memory_that_ray_wants() -> None:
    """As much as a project of our own making has: a good third of a node's memory."""
    from cai_deploy.places.cai.groundwork import SHARED_MEMORY_SHARE

    spec = ClusterSpec()
    largest = max(spec.head.memory_gb, *(group.memory_gb for group in spec.workers))
    assert MANIFEST["shared_memory_limit"] >= largest * SHARED_MEMORY_SHARE


def test_the_version_is_that_of_the_next_release() -> None:
    from cai_deploy import UNRELEASED

    assert re.match(r"\d+\.\d+", UNRELEASED)
    assert UNRELEASED.startswith(MANIFEST["prototype_version"] + ".")
