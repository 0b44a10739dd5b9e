"""What is blanked out, and what stays as it is."""

from __future__ import annotations

import pytest

from cai_deploy.redaction import Redaction, secret_values, without_credentials

SHAPE = "x" * 20


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fatal: https://me:pw@host/x.git and ssh://t@h/y", "fatal: https://***@host/x.git and ssh://***@h/y"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer ***"),
        ('{"X-Ray-Authorization": "Bearer abc"}', '{"X-Ray-Authorization": "Bearer ***"}'),
        (f"pushed with ghp_{SHAPE}!", "pushed with ***!"),
        (f"glpat-{SHAPE}", "***"),
        ("mail me@host.example, see https://host/a@b", "mail me@host.example, see https://host/a@b"),
        ("the authorization of users", "the authorization of users"),
    ],
)
def test_what_looks_like_a_credential(text: str, told: str) -> None:
    assert without_credentials(text) == told


def test_what_is_known_is_found_anywhere() -> None:
    redact = Redaction(["apikey-1234"])
    redact.learn(secret_values({"CML_USER_PW": "s3cret-s3cret", "MODE": "fast-mode", "MY_TOKEN": "1"}))
    assert redact("a=apikey-1234,b=s3cret-s3cret, fast-mode 1") == "a=***,b=***, fast-mode 1"


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    assert Redaction(["abcdef", "abcdefghij"])("abcdefghij") == "***"
