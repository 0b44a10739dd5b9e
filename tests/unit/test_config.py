"""What people write, and what they are told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.config import load, load_target, parse, with_workers
from cai_deploy.errors import ConfigError
from cai_deploy.spec import ClusterSpec

EXAMPLE = Path(__file__).parents[2] / "cai-deploy.yaml"


def test_the_example_shows_the_defaults() -> None:
    assert parse(EXAMPLE.read_text()) == ClusterSpec()


def test_the_example_documents_every_key() -> None:
    text = EXAMPLE.read_text()
    schema = ClusterSpec.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    keys = {key for model in models for key in model.get("properties", {})}
    missing = {key for key in keys if f"{key}:" not in text}
    assert not missing


def test_what_the_example_comments_out_is_valid_too() -> None:
    lines = EXAMPLE.read_text().replace("ports: {}", "ports:").splitlines()
    shown = [line.replace("# ", "", 1) if line.strip().startswith("# ") and _is_key(line) else line for line in lines]
    spec = parse("\n".join(shown))
    assert spec.python == "3.11"
    assert spec.head.script == "my_head_launcher.py"
    assert spec.ports.worker_max == 11020
    assert "gcs" in spec.ports.pinned()


def _is_key(line: str) -> bool:
    commented = line.strip().removeprefix("# ")
    key = commented.split(":")[0]
    return ":" in commented and key.replace("_", "").isalpha() and key.islower()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workers: [{replica: 2}]", "workers[0].replica: unknown key; did you mean 'replicas'?"),
        ("timeout: {}", "timeout: unknown key; did you mean 'timeouts'?"),
        (
            "head: {zzz: 1}",
            "head.zzz: unknown key; allowed: cpu, env, gpu, labels, memory_gb, resources, runtime, script",
        ),
        ("name: Foo", "name: must be lower-case letters, digits and single hyphens, a letter first, not 'Foo'"),
        ("head: {cpu: 0}", "head.cpu: must be greater than 0, not 0"),
        ("workers: 3", "workers: must be a list, not 3"),
        ("ports: {gcs: 8265}", "ports: dashboard and gcs are both 8265, not {'gcs': 8265}"),
        ("ports: {worker_min: 2000}", "ports: worker_min and worker_max go together, not {'worker_min': 2000}"),
        ("workers: [{}, {}]", "workers: two groups are called 'worker', not [{}, {}]"),
        ("workers: [{name: head}]", "workers[0].name: the name 'head' is taken by the head, not 'head'"),
        ("head: {script: ../x.py}", "head.script: a script is a path below the project's root, not '../x.py'"),
        ("head: {env: {CDSW_A: x}}", "head.env: CDSW_A belongs to the platform or to cai_deploy, not {'CDSW_A': 'x'}"),
    ],
)
def test_a_wrong_key_is_named_with_its_path_its_value_and_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, source="cai-deploy.yaml")
    assert caught.value.what == "cai-deploy.yaml is not a valid specification"
    assert caught.value.why == told
    assert caught.value.exit_code == 2


def test_a_token_in_a_git_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("project: {git_url: 'https://oauth2:s3cret@example.com/a.git'}")
    assert "must not carry a user name or token" in caught.value.why
    assert "s3cret" not in caught.value.why


def test_text_that_is_not_yaml_and_yaml_that_is_not_a_mapping() -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        parse("a: [")
    with pytest.raises(ConfigError, match="must hold keys and values"):
        parse("- a")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "missing.yaml")


def test_a_file_here_is_used_and_else_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = ClusterSpec(name="base")
    assert load(None, base=base) == base
    Path("cai-deploy.yaml").write_text("name: here\n")
    assert load(None, base=base).name == "here"


def test_workers_sets_the_first_group_alone() -> None:
    spec = parse("workers: [{name: cpu}, {name: gpu, gpu: 1, replicas: 3}]")
    assert [group.replicas for group in with_workers(spec, 7).workers] == [7, 3]
    assert [group.replicas for group in with_workers(spec, 0, "gpu").workers] == [1, 0]
    with pytest.raises(ConfigError, match="no worker group 'tpu'"):
        with_workers(spec, 1, "tpu")


def test_what_was_written_survives_a_round_trip() -> None:
    spec = with_workers(parse("ports: {gcs: 6380}"), 3)
    again = parse(spec.to_json())
    assert again == spec
    assert again.ports.pinned() == ("gcs",)


def test_equal_specifications_have_equal_texts() -> None:
    spelt_out = parse("workers: [{replicas: 3, env: {}}]\nhead: {cpu: 2.0, script: null}")
    assert spelt_out.to_json() == with_workers(ClusterSpec(), 3).to_json()
    assert parse("ports: {gcs: 6379}").to_json() != ClusterSpec().to_json(), "one of them pins the port"


@pytest.mark.parametrize(
    ("environ", "host", "found_in"),
    [
        ({"CML_HOST": "https://a", "CDSW_DOMAIN": "b", "CML_API_KEY": "k"}, "https://a", "CML_HOST"),
        (
            {"CDSW_API_URL": "https://c/api/v1", "CDSW_DOMAIN": "c", "CDSW_APIV2_KEY": "k"},
            "https://c/api/v1",
            "CDSW_API_URL",
        ),
        ({"CDSW_DOMAIN": "d", "CDSW_APIV2_KEY": "k"}, "d", "CDSW_DOMAIN"),
    ],
)
def test_where_the_workspace_comes_from(environ: dict[str, str], host: str, found_in: str) -> None:
    target = load_target(environ)
    assert target is not None
    assert (target.host, target.found_in) == (host, found_in)


def test_no_workspace_and_a_workspace_without_a_key() -> None:
    assert load_target({}) is None
    with pytest.raises(ConfigError, match="CML_HOST names a workspace, but there is no key"):
        load_target({"CML_HOST": "https://a"})


def test_a_key_is_not_shown() -> None:
    target = load_target({"CML_HOST": "https://a", "CML_API_KEY": "s3cret"})
    assert "s3cret" not in repr(target)
