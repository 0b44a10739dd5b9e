"""What the test of the documentation runs: every block of the two pages, compared as a reader would."""

from __future__ import annotations

import subprocess

import pytest

from tests.pages import Block, blocks

LEARNT_FROM = ("quickstart", "tutorial")


@pytest.mark.parametrize("page", LEARNT_FROM)
def test_every_block_is_run(page: str) -> None:
    found = list(blocks(page))
    assert len(found) > 4
    assert [str(each) for each in found if not each.runs] == []
    for each in found:
        assert subprocess.run(["bash", "-n"], input=each.code, text=True, check=False).returncode == 0, each.code


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("2 nodes ALIVE, ...", ""),
        ("head ... running ALIVE ...", ""),
        ("place: ... (pods: ...)", ""),
        ("nodes ALIVE", "nodes ALIVE"),
        ("3 nodes ALIVE, ...", "3 nodes ALIVE, ..."),
        ("head ... running ALIVE ...\n2 nodes ALIVE, ...", "2 nodes ALIVE, ..."),
    ],
)
def test_what_is_shown_is_compared(shown: str, missing: str) -> None:
    told = "place: here (pods: plain)\n2 nodes ALIVE, 4.9 s after\nhead   head  running  ALIVE  10.77.0.2  x\n"
    assert Block("page", 1, "", tuple(shown.splitlines()), True).missing_in(told) == missing
