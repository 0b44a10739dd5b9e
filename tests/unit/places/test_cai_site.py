"""What a project is made from, with real git where a commit has to be asked for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy.config import find_file, load, parse
from cai_deploy.errors import ConfigError
from cai_deploy.places.cai.build import build
from cai_deploy.places.cai.site import Credential, Site, site_of
from cai_deploy.source import Source
from cai_deploy.state import WantedGround
from tests.unit.places.test_cai_build import SEEN

HOST = "https://ml.example.com"
HERE = Source(Path("/home/me/mine"), "https://example.com/mine.git", "main", "a" * 40)
TOKEN = "t0ken-of-mine"


def site(text: str = "", here: Source | None = HERE, *, sync_code: bool = False, host: str = HOST) -> Site:
    return site_of(parse(text).project, here, host, sync_code=sync_code, environ={"MY_TOKEN": TOKEN})


def ground(found: Site, **seen: object) -> list[WantedGround]:
    return [want for want in build(parse(""), replace(SEEN, **seen), found).ground if want.kind in KINDS]


KINDS = ("project", "credential", "code")


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    command = ["git", *identity, "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_checkout_that_a_person_stands_in() -> None:
    assert site() == Site(HOST, "https://example.com/mine.git", "main")
    assert site(sync_code=True).commit == "a" * 40
    assert site(host="http://localhost:8000").git_url == "/home/me/mine"


def test_outside_of_any_checkout_the_project_begins_empty() -> None:
    assert site(here=None, sync_code=True) == Site(HOST, "")
    (project,) = ground(site(here=None))
    assert project.request["body"]["template"] == "local"
    assert "git_url" not in project.request["body"]


def test_a_checkout_that_cannot_be_cloned_is_said_to_be_one() -> None:
    assert site(here=replace(HERE, remote="")).unclonable == "/home/me/mine"


def test_a_commit_is_what_runs_and_no_platform_is_asked_for_it() -> None:
    pinned = site(f"project: {{git_ref: {'b' * 40}}}")
    assert (pinned.git_ref, pinned.commit) == ("", "b" * 40)


def test_a_branch_and_a_tag_are_asked_for_where_the_newest_is_wanted(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", "-a", "-m", "annotated", "v1")
    commit = git(tmp_path, "rev-parse", "HEAD")
    for ref in ("main", "v1"):
        assert site(f"project: {{git_url: {tmp_path}, git_ref: {ref}}}", sync_code=True).commit == commit
    assert site(f"project: {{git_url: {tmp_path}, git_ref: main}}").commit == ""
    with pytest.raises(ConfigError, match="has no branch or tag nothing"):
        site(f"project: {{git_url: {tmp_path}, git_ref: nothing}}", sync_code=True)
    with pytest.raises(ConfigError, match="does not say which commit HEAD is"):
        site(f"project: {{git_url: {tmp_path}/nowhere}}", sync_code=True)


def test_a_private_repository_is_cloned_by_a_job_after_what_opens_it_came() -> None:
    found = site("project: {git_token_env: MY_TOKEN}")
    assert TOKEN not in repr(found)
    project, credential, code = ground(found)
    assert project.request["body"]["template"] == "local"
    assert credential.request["body"] == {"path": ".cai-deploy/git/token", "content": "(your token)"}
    assert code.request["body"] == {"arguments": "--ref main --url https://example.com/mine.git"}
    assert TOKEN not in str([project, credential, code])


def test_what_opens_it_is_not_missed_where_the_clone_stands() -> None:
    absent = replace(site("project: {git_token_env: NOT_SET}"), git_ref="")
    assert absent.credential == Credential("token", missing="project.git_token_env: NOT_SET is not set")
    with pytest.raises(ConfigError, match="NOT_SET is not set"):
        ground(absent)
    assert [want.kind for want in ground(absent, commit="c" * 40)] == ["project", "code"]


def test_a_key_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    text = f"project: {{git_url: 'git@example.com:a.git', git_key_file: {tmp_path}/key}}"
    assert site(text).credential == Credential("key", "secret\n")
    (tmp_path / "key").unlink()
    assert "cannot be read" in getattr(site(text).credential, "missing", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{git_url: 'https://example.com/a.git', git_key_file: k}", "a key opens addresses of ssh alone"),
        ("{git_url: 'http://example.com/a.git', git_token_env: T}", "a token is sent to https addresses alone"),
        ("{git_key_file: k, git_token_env: T}", "two ways in"),
        ("{directory: ../elsewhere}", "must be a directory of the repository"),
        ("{directory: /srv}", "must be a directory of the repository"),
    ],
)
def test_what_does_not_go_together(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"project: {text}")
    assert why in caught.value.why


def test_a_token_does_not_open_an_origin_of_ssh() -> None:
    with pytest.raises(ConfigError, match="a token is sent to https addresses alone"):
        site("project: {git_token_env: MY_TOKEN}", here=replace(HERE, remote="git@example.com:a.git"))


def test_a_specification_below_the_top_tells_its_paths_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "services/model"
    (below / "src").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (below / "cai-deploy.yaml").write_text("head: {script: mine.py}\nenvironment: {requirements: locked.txt}\n")
    monkeypatch.chdir(below / "src")
    spec = load(None)
    assert (spec.head.script, spec.environment.requirements) == (
        "services/model/mine.py",
        "services/model/locked.txt",
    )
    assert parse(spec.to_json()) == spec
    assert load(below / "cai-deploy.yaml").head.script == "mine.py", "one that is named is told from the top"
    (below / "cai-deploy.yaml").write_text("project: {directory: other}\nhead: {script: mine.py}\n")
    assert load(None).head.script == "other/mine.py"
    assert load(None).environment.requirements == "requirements/cluster.txt"


def test_nothing_is_looked_for_above_a_repository(tmp_path: Path) -> None:
    (tmp_path / "cai-deploy.yaml").write_text("{}")
    inside = tmp_path / "repository/sub"
    inside.mkdir(parents=True)
    assert find_file(inside) is None
    (tmp_path / "repository/.git").mkdir()
    assert find_file(inside) is None
    (tmp_path / "repository/cai-deploy.yaml").write_text("{}")
    assert find_file(inside) == tmp_path / "repository/cai-deploy.yaml"
