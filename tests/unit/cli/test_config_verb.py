"""``config``: what editors and people are given to write a specification, and what they are told of theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from cai_deploy.cli.config import annotated_example, json_schema
from tests.unit.cli.test_command_line import run

REPOSITORY = Path(__file__).parents[3]
PUBLISHED = REPOSITORY / "docs" / "cai-deploy.schema.json"


def test_the_published_schema_is_that_of_the_code() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == json_schema(), (
        "write it anew: python -m cai_deploy config --schema > docs/cai-deploy.schema.json"
    )


def test_the_example_fits_the_schema_and_names_it() -> None:
    validator = Draft202012Validator(json.loads(json_schema()))
    validator.check_schema(validator.schema)
    validator.validate(yaml.safe_load(annotated_example()))
    first = (REPOSITORY / "cai-deploy.yaml").read_text(encoding="utf-8").splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert REPOSITORY / named == PUBLISHED


@pytest.mark.parametrize("text", ["worker: 1", "place: moon", "head: {cpu: 0}", "workers: 3", "{head: {gpus: 1}}"])
def test_the_schema_refuses_what_the_program_refuses(tmp_path: Path, text: str) -> None:
    validator = Draft202012Validator(json.loads(json_schema()))
    assert not validator.is_valid(yaml.safe_load(text))


def test_a_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "cai-deploy.yaml").write_text("workers: [{replicas: 3}]\n")
    well = run(tmp_path, "config", "--validate")
    assert (well.status, well.out, well.err) == (0, "cai-deploy.yaml is valid: cluster ray on cai, 4 nodes\n", "")
    (tmp_path / "other.yaml").write_text("name: ray\nplace: smiley\nworkers:\n- {replica: 3}\n")
    wrong = run(tmp_path, "config", "--validate", "other.yaml")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err == (
        "error: other.yaml is not a valid specification\n"
        "  place: must be 'cai', 'slurm', 'compose' or 'ssh', not 'smiley' (line 2, column 8)\n"
        "  workers[0].replica: unknown key; did you mean 'replicas'? (line 4, column 4)\n"
        "hint: compare with the annotated example: python -m cai_deploy config --example\n"
    )


def test_what_does_not_go_together(tmp_path: Path) -> None:
    missing = run(tmp_path, "config", "--validate")
    assert (missing.status, missing.err) == (
        2,
        "error: cannot read cai-deploy.yaml\n  No such file or directory\nhint: give --config a file that exists\n",
    )
    assert run(tmp_path, "config", "--schema", "--example").status == 2
    assert run(tmp_path, "config", "--schema", "a.yaml").err == (
        "error: --example and --schema look at no file\nhint: leave a.yaml out\n"
    )
