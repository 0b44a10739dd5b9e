"""What people write, and what they are told when it is wrong."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cai_deploy.config import load, load_target, parse, with_workers
from cai_deploy.errors import ConfigError
from cai_deploy.slurm_options import SlurmIdle, SlurmOptions
from cai_deploy.spec import ClusterSpec, Watchdog

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
    assert (spec.slurm.partition, spec.workers[0].slurm) == (
        "compute",
        SlurmOptions(partition="gpu", gres="gpu:a100:1"),
    )
    assert spec.slurm.idle == SlurmIdle()


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
            "head.zzz: unknown key; allowed: "
            "cpu, env, gpu, labels, memory_gb, public, resources, runtime, script, slurm",
        ),
        ("name: Foo", "name: must be lower-case letters, digits and single hyphens, a letter first, not 'Foo'"),
        ("head: {cpu: 0}", "head.cpu: must be greater than 0, not 0"),
        ("workers: 3", "workers: must be a list, not 3"),
        ("ports: {gcs: 8265}", "ports: dashboard and gcs are both 8265, not {'gcs': 8265}"),
        ("ports: {worker_min: 2000}", "ports: worker_min and worker_max go together, not {'worker_min': 2000}"),
        ("workers: [{}, {}]", "workers: two groups are called 'worker', not [{}, {}]"),
        ("workers: [{name: head}]", "workers[0].name: the name 'head' is taken by the head, not 'head'"),
        (
            "watchdog: {schedule: hourly}",
            "watchdog.schedule: a schedule has five fields: minute, hour, day of the month, month, day of the week,"
            " not 'hourly'",
        ),
        (
            "idle: {stop_after: 60}\nlifetime: 5",
            "idle.stop_after, lifetime: only the watchdog sees to that; add `watchdog: {}`",
        ),
        ("{watchdog: {}, idle: {stop_after: 0}}", "idle.stop_after: must be greater than 0, not 0"),
        (
            "{watchdog: {}, idle: {stop_after: 5, scale_down_after: 5}}",
            "idle: stop_after 5 is not above scale_down_after 5, not {'stop_after': 5, 'scale_down_after': 5}",
        ),
        (
            "{watchdog: {}, expires_at: '2027-01-31T18:00:00'}",
            "expires_at: must have timezone info, not '2027-01-31T18:00:00'",
        ),
        ("head: {script: ../x.py}", "head.script: a script is a path below the project's root, not '../x.py'"),
        ("head: {env: {CDSW_A: x}}", "head.env: CDSW_A belongs to the platform or to cai_deploy"),
        (
            "head: {env: {RAY_AUTH_TOKEN: secret}}",
            "head.env: RAY_AUTH_TOKEN is cai_deploy's: an application's variables are no place for a token",
        ),
        (
            "head: {env: {RAY_TLS_CA_CERT: x}}",
            "head.env: RAY_TLS_CA_CERT is cai_deploy's: write `tls: true`, and each node makes its certificate",
        ),
        (
            "{tls: true, launch_with: inline}",
            "tls needs each node's agent to make its certificate; use launch_with: script",
        ),
        (
            "{authentication: none, head: {public: true}}",
            "head.public without a token would let anybody run anything; keep authentication: token",
        ),
    ],
)
def test_a_wrong_key_is_named_with_its_path_its_value_and_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, source="cai-deploy.yaml")
    assert caught.value.what == "cai-deploy.yaml is not a valid specification"
    assert re.sub(r" \(line 1, column \d+\)$", "", caught.value.why) == told
    assert caught.value.exit_code == 2


WRITTEN = """\
name: ray
head:
  cpu: many
  gpus: 1
workers:
  - name: a
    replicas: 2
  - {name: b, replicas: -1,
     memory: 4}
update: {drain: [], max_unavailable: lots}
place: Compose
"""


def test_what_is_wrong_is_told_with_the_line_and_the_column_at_which_it_stands() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(WRITTEN, source="cai-deploy.yaml")
    assert caught.value.why.splitlines() == [
        "place: must be 'cai', 'slurm', 'compose' or 'ssh', not 'Compose'; did you mean 'compose'? (line 11, column 8)",
        "head.cpu: must be a valid number, unable to parse string as a number, not 'many' (line 3, column 8)",
        "head.gpus: unknown key; did you mean 'gpu'? (line 4, column 3)",
        "workers[1].replicas: must be greater than or equal to 0, not -1 (line 8, column 25)",
        "workers[1].memory: unknown key; did you mean 'memory_gb'? (line 9, column 6)",
        "update.max_unavailable: must be a valid integer, unable to parse string as an integer, or"
        " must match pattern '^(100|\\d{1,2})%$', not 'lots' (line 10, column 38)",
        "update.drain: must be a valid number, not [] (line 10, column 17)",
    ]


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        (
            "head:\n  cpu: 1\n cpu: 2\n",
            "is not YAML",
            "expected <block end>, but found '<block mapping start>' (line 3, ",
        ),
        ("a: [", "is not YAML", "expected the node content, but found '<stream end>' (line 1, column 5)"),
        (
            "head:\n  cpu: 1\nworkers: []\nhead:\n  gpu: 1\n",
            "is not a valid specification",
            "head: stands twice, and only the second would count (line 4, column 1)",
        ),
        (
            "workers: [{name: a, name: b}]",
            "is not a valid",
            "name: stands twice, and only the second would count (line 1",
        ),
    ],
)
def test_text_that_cannot_be_read_as_it_was_meant(text: str, what: str, why: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        parse(text)
    assert caught.value.why.startswith(why)


def test_what_is_kept_of_times_is_what_was_written() -> None:
    spec = parse("{watchdog: {}, idle: {scale_down_after: 0.5}, expires_at: 2027-01-31T18:00:00+01:00}")
    again = parse(spec.to_json())
    assert (again, again.to_json()) == (spec, spec.to_json())
    assert spec.watchdog == Watchdog(schedule="*/5 * * * *")
    assert spec.expires_at == datetime(2027, 1, 31, 17, tzinfo=timezone.utc)
    assert "watchdog" not in ClusterSpec().to_json(), "off by default"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("place: moon", "place: must be 'cai', 'slurm', 'compose' or 'ssh', not 'moon' (line 1"),
        ("place: slrum", "place: must be 'cai', 'slurm', 'compose' or 'ssh', not 'slrum'; did you mean 'slurm'?"),
        ("{place: slurm, watchdog: {}}", "watchdog: there is none on slurm; `slurm.idle` ends an idle head"),
        ("{place: slurm, idle: {stop_after: 60}, lifetime: 5}", "idle.stop_after, lifetime: not on slurm; use"),
        ("{place: slurm, launch_with: inline}", "launch_with: a job of slurm runs a launcher"),
        ("slurm: {partion: a}", "slurm.partion: unknown key; did you mean 'partition'?"),
        ("slurm: {extra: {output: x}}", "slurm.extra: --output is cai_deploy's"),
        ("workers: [{slurm: {time: soon}}]", "workers[0].slurm.time: 'soon' is not a time: minutes,"),
        ("head: {slurm: {handover: true}}", "head.slurm.handover: unknown key; allowed: account, constraint"),
        ("slurm: {directory: here}", "slurm.directory: the directory has to be absolute, or begin with ~/"),
        (
            "slurm: {idle: {window: 9-17}}",
            "slurm.idle.window: '9-17' is not a part of the day: write it as 02:30-09:00",
        ),
        ("slurm: {idle: {after: 0}}", "slurm.idle.after: must be greater than 0"),
        (
            "slurm: {warning: 30, checkpoint: 60}",
            "slurm: checkpoint 60 s is longer than is left after the warning, 30 s",
        ),
        ("slurm: {warning: 0, handover: true}", "slurm: handover: a successor is submitted at the warning"),
        (
            "{place: slurm, slurm: {warning: 600}, workers: [{slurm: {time: '5'}}]}",
            "slurm of worker: warning 600 s is not within the time 5",
        ),
    ],
)
def test_what_slurm_cannot_do_or_know_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.why.startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "{place: slurm, slurm: {directory: /shared/a, idle: {after: 5}, handover: true, export: [HOME], time: 4-0}}",
        "{slurm: {warning: 300}, head: {slurm: {requeue: true}}, workers: [{slurm: {warning: 120}}, {name: b}]}",
        "{slurm: {partition: a}, workers: [{slurm: {partition: b, extra: {exclusive: true}}}]}",
        "{place: slurm, watchdog: null, head: {runtime: an-image, public: true}}",
    ],
)
def test_what_slurm_is_asked_for_is_kept_as_it_was_written(text: str) -> None:
    spec = parse(text)
    again = parse(spec.to_json())
    assert (again, again.to_json()) == (spec, spec.to_json())
    for before, after in zip(spec.groups, again.groups, strict=True):
        assert again.slurm.under(after.slurm) == spec.slurm.under(before.slurm)


def test_a_group_goes_back_to_a_default_that_its_cluster_gave_up() -> None:
    spec = parse(parse("{slurm: {requeue: false}, head: {slurm: {requeue: true}}}").to_json())
    assert [spec.slurm.under(group.slurm).requeue for group in spec.groups] == [True, False]


def test_what_is_asked_of_slurm_lies_unused_elsewhere() -> None:
    spec = parse("{watchdog: {}, slurm: {partition: a, handover: true}}")
    assert (spec.place, spec.slurm.partition) == ("cai", "a")
    assert "slurm" not in ClusterSpec().to_json()


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


def test_what_was_pinned_can_be_let_go() -> None:
    pinned = parse("environment: {requirements: a.txt, pinned: {head: ray-1}}")
    assert pinned.unpinned() == parse("environment: {requirements: a.txt}")
    assert parse(pinned.to_json()) == pinned
