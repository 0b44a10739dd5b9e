"""A key or a token for git: who is told it, and that it stands in no argument and no variable."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from cai_deploy.git_access import GitAccess, Kind, environment, find, misfit

TOKEN = "t0ken-of-mine"
URL = "https://git.example.com:8443/me/mine.git"


def access(directory: Path, kind: Kind) -> GitAccess:
    (directory / "git").mkdir()
    (directory / "git" / kind).write_text(f"{TOKEN}\n")
    found = find(directory / "git")
    assert found is not None
    return found


def answer(program: str, question: str) -> tuple[int, str]:
    done = subprocess.run([program, question], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_nothing_opens_what_has_nothing(tmp_path: Path) -> None:
    assert find(tmp_path / "git") is None
    with environment(URL, None, {"A": "b"}) as env:
        assert env["A"] == "b"
        assert env["GIT_TERMINAL_PROMPT"] == "0"


@pytest.mark.parametrize("kind", ["key", "token"])
def test_what_is_found_is_closed_to_others(tmp_path: Path, kind: Kind) -> None:
    found = access(tmp_path, kind)
    assert (found.kind, stat.S_IMODE(found.file.stat().st_mode)) == (kind, 0o600)
    assert stat.S_IMODE(found.file.parent.stat().st_mode) == 0o700
    assert TOKEN not in found.story()


def test_a_token_is_told_to_its_own_host_alone(tmp_path: Path) -> None:
    with environment(URL, access(tmp_path, "token"), {}) as env:
        assert TOKEN not in str(env)
        program = env["GIT_ASKPASS"]
        assert answer(program, "Username for 'https://git.example.com:8443': ") == (0, "x-access-token\n")
        assert answer(program, "Password for 'https://x-access-token@git.example.com:8443': ") == (0, f"{TOKEN}\n")
        for other in ("https://x-access-token@other.example.com", "http://x-access-token@git.example.com:8443"):
            assert answer(program, f"Password for '{other}': ") == (1, "")
    assert not Path(program).exists()


def test_ssh_is_told_of_the_file_and_believes_no_host_that_changed(tmp_path: Path) -> None:
    with environment("git@example.com:a.git", access(tmp_path, "key"), {}) as env:
        words = env["GIT_SSH_COMMAND"].split()
    assert f"IdentityFile={tmp_path}/git/key" in words
    assert "StrictHostKeyChecking=accept-new" in words
    assert f"UserKnownHostsFile={tmp_path}/git/known_hosts" in words


@pytest.mark.parametrize(
    ("kind", "url", "fits"),
    [
        ("key", "git@example.com:me/a.git", True),
        ("key", "ssh://git@example.com:2222/a.git", True),
        ("key", "https://example.com/a.git", False),
        ("token", "https://example.com/a.git", True),
        ("token", "http://127.0.0.1:8080/a.git", True),
        ("token", "http://example.com/a.git", False),
        ("token", "git@example.com:me/a.git", False),
    ],
)
def test_what_goes_with_which_address(kind: Kind, url: str, fits: bool) -> None:
    assert (misfit(kind, url) == "") is fits
