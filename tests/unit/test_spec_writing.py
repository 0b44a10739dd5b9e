"""A value goes into the text of a specification, and nothing else of it changes."""

from __future__ import annotations

import pytest

from cai_deploy.spec.writing import with_value

TEXT = """\
# first
head:
  cpu: 2        # vCPU
  # runtime: an-image
  gpu: 0
workers:
  - name: worker   # theirs
    cpu: 2
hosts: []
# last
"""


@pytest.mark.parametrize(
    ("location", "value", "line"),
    [
        (("head", "cpu"), 16, "  cpu: 16       # vCPU"),
        (("head", "cpu"), 1234567890123, "  cpu: 1234567890123  # vCPU"),
        (("head", "gpu"), 1, "  gpu: 1"),
        (("workers", 0, "name"), "a b", "  - name: a b      # theirs"),
        (("workers", 0, "name"), "yes", "  - name: 'yes'    # theirs"),
        (("hosts",), [{"address": "10.0.0.4"}, {"address": "b"}], "hosts: [{address: 10.0.0.4}, {address: b}]"),
    ],
)
def test_what_is_there_is_replaced_where_it_stands(location: tuple[str | int, ...], value: object, line: str) -> None:
    before, after = TEXT.splitlines(), with_value(TEXT, location, value).splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [line]


@pytest.mark.parametrize(
    ("location", "line", "behind"),
    [
        (("head", "runtime"), "  runtime: x", "  cpu: 2        # vCPU"),
        (("workers", 0, "runtime"), "    runtime: x", "  - name: worker   # theirs"),
    ],
)
def test_what_is_not_there_comes_behind_the_first_key(location: tuple[str | int, ...], line: str, behind: str) -> None:
    before, after = TEXT.splitlines(), with_value(TEXT, location, "x").splitlines()
    at = before.index(behind) + 1
    assert after == [*before[:at], line, *before[at:]]


def test_there_is_no_place_for_what_has_none() -> None:
    for location in (("head", "env", "A"), ("workers", 3, "cpu"), ("workers", 0, "slurm", "time")):
        with pytest.raises(KeyError):
            with_value(TEXT, location, 1)
