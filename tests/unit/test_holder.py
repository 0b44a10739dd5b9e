"""Who holds something, and whether it is still there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from cai_deploy.holder import Holder, is_gone, parse, this_process


def test_we_are_here() -> None:
    me = this_process("launch")
    assert parse(me.to_json()) == me
    assert not is_gone(me)
    assert str(me).endswith(f", launch, process {me.pid}")


def test_a_process_that_has_ended_is_gone() -> None:
    program = "from cai_deploy.holder import this_process; print(this_process('launch').to_json())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    holder = parse(ended)
    assert holder
    assert is_gone(holder)


def test_a_number_that_was_given_out_again_is_another_process() -> None:
    assert is_gone(replace(this_process("launch"), started="1"))


def test_of_another_machine_nobody_here_can_tell() -> None:
    assert not is_gone(Holder("someone@elsewhere", "launch", "another boot", 1, "1"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps({"who": "me"})])
def test_what_is_no_holder(text: str) -> None:
    assert parse(text) is None
