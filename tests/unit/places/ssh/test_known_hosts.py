"""Which hosts are known: the user's own file counts, a first contact is asked about, a changed key is never taken."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import asyncssh
import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.errors import HostKeyChanged, HostKeyUnknown
from cai_deploy.places.ssh.known_hosts import KnownHosts, Shown

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def shown(*, port: int = 22, changed: bool = False) -> Shown:
    return Shown("gpu1", "10.0.0.1", port, KEY, changed)


def test_a_host_that_is_trusted_is_known_from_then_on(tmp_path: Path) -> None:
    asked: list[str] = []
    known = KnownHosts(lambda told: bool(asked.append(told) or True), tmp_path / "ssh" / "known_hosts")
    assert not known.is_known("gpu1", "10.0.0.1", 22)
    known.meet("gpu1", shown())
    known.meet("gpu1", shown())
    assert len(asked) == 1
    assert KEY.get_fingerprint() in asked[0]
    assert known.is_known("gpu1", "10.0.0.1", 22)


def test_another_port_is_another_host(tmp_path: Path) -> None:
    known = KnownHosts(lambda _: True, tmp_path / "known_hosts")
    known.meet("gpu1:2222", shown(port=2222))
    assert known.own.read_text().startswith("[gpu1]:2222 ssh-ed25519 ")
    assert known.is_known("gpu1", "10.0.0.1", 2222)
    assert not known.is_known("gpu1", "10.0.0.1", 22)
    known.meet("gpu1", shown())
    assert not known.is_known("gpu1", "10.0.0.1", 2223)


def test_names_that_are_hashed_are_known_too(tmp_path: Path) -> None:
    known = KnownHosts(lambda _: False, tmp_path / "known_hosts")
    salt, public = b"x" * 20, KEY.export_public_key("openssh").decode()
    digest = hmac.new(salt, b"10.0.0.1", "sha1").digest()
    hashed = "|1|" + "|".join(base64.b64encode(each).decode() for each in (salt, digest))
    known.own.write_text(f"{hashed} {public}")
    assert known.is_known("gpu1", "10.0.0.1", 22)
    assert not known.is_known("gpu1", "10.0.0.2", 22)


def test_a_line_without_an_end_is_not_continued(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"other {KEY.export_public_key('openssh').decode().strip()}")
    KnownHosts(lambda _: True, file).meet("gpu1", shown())
    assert [line.split()[0] for line in file.read_text().splitlines()] == ["other", "gpu1"]


def test_a_host_that_is_not_trusted_is_named_with_its_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(HostKeyUnknown) as caught:
        KnownHosts(lambda _: False, tmp_path / "known_hosts").meet("gpu1", shown())
    assert KEY.get_fingerprint() in caught.value.why
    assert (caught.value.exit_code, caught.value.retry_helps) == (4, False)
    assert not (tmp_path / "known_hosts").exists()


def test_nobody_is_asked_about_a_key_that_has_changed(tmp_path: Path) -> None:
    def never(told: str) -> bool:
        raise AssertionError(told)

    with pytest.raises(HostKeyChanged, match="shows another key than the one that is known"):
        KnownHosts(never, tmp_path / "known_hosts").meet("gpu1", shown(changed=True))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    assert KnownHosts(lambda _: True, tmp_path / "known_hosts").read() is not None
    (tmp_path / "broken").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        KnownHosts(lambda _: True, tmp_path / "broken").read()
