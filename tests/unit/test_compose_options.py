"""What a specification may ask of Docker Compose, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cai_deploy.compose_options import Compose
from cai_deploy.config import parse
from cai_deploy.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"publish": "everybody"}, "is no address"),
        ({"directory": "here"}, "has to be absolute"),
        ({"directory": "/a\nb"}, "one line"),
        ({"volumes": ["/data"]}, "is not a volume"),
        ({"extra": {"command": "x"}}, "command is cai_deploy's"),
        ({"extra": {"network_mode": "host"}}, "network_mode is cai_deploy's"),
        ({"image": "two words"}, "match pattern"),
        ({"address": "0.0.0.0"}, "its own IPv4 address"),  # noqa: S104
        ({"address": "head.example.com"}, "is no address"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Compose.model_validate(options)


@pytest.mark.parametrize(
    ("publish", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.1.2.3", "10.1.2.3")],  # noqa: S104
)
def test_where_this_machine_finds_what_is_published(publish: str, asked: str) -> None:
    assert Compose(publish=publish).asked_at == asked


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("place: compose\nwatchdog: {}", "there is none on compose"),
        ("place: compose\nlifetime: 60", "not on compose"),
        ("place: compose\nlaunch_with: inline", "a container runs a launcher"),
    ],
)
def test_what_only_a_workspace_has_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert why in refused.value.why


def test_a_specification_comes_back_as_it_was() -> None:
    spec = parse("place: compose\ncompose: {image: 'a:1', volumes: ['/d:/d'], extra: {dns: 10.0.0.2}}")
    assert parse(spec.to_json()) == spec
