"""The quickstart and the tutorial, as a reader types them: one shell, a fresh clone, real Ray, block after block.

What a page says that a block shows has to be there. All blocks are run once, for all tests of this module. They install
with uv where they say pip, as that takes seconds instead of a minute; pip itself is tried with the wheel elsewhere.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY, people
from tests.pages import Block, blocks

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ALL = [*blocks("quickstart"), *blocks("tutorial")]
ENDED = "=== so ended block"
BEGIN = f"""set -e
pip() {{ {shlex.quote(str(Path(sys.executable).with_name("uv")))} pip "$@"; }}
"""
PATIENCE = 400

Told = dict[str, str]


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """What each block has written, by block; those behind one that failed are missing."""
    with people() as make:
        shell = make()
        shell.commit("cai-deploy.yaml", (REPOSITORY / "cai-deploy.yaml").read_text())
        script = shell.checkout.parent / "pages.sh"
        script.write_text(BEGIN + "".join(f'{each.code}echo "{ENDED} {each} after $SECONDS s"\n' for each in ALL))
        began = time.monotonic()
        ran = subprocess.run(
            ["timeout", "--kill-after=5", str(PATIENCE), "bash", script],
            cwd=shell.checkout,
            env=shell.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"{ran.stdout}\n(status {ran.returncode} after {time.monotonic() - began:.0f} s)")
        parts = re.split(rf"^{ENDED} (\S+) after \d+ s\n", ran.stdout, flags=re.MULTILINE)
        yield dict(zip(parts[1::2], parts[0::2], strict=False))


@pytest.mark.parametrize("block", ALL, ids=str)
def test_the_block_works_and_shows_what_the_page_says(block: Block, told: Told) -> None:
    assert str(block) in told, "it failed, or was not reached"
    missing = block.missing_in(told[str(block)])
    assert not missing, f"{missing!r} is not in:\n{told[str(block)]}"
