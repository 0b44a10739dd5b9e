"""What a cluster has left on a host: found by its mark, and ended only while it is what was found. Real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.node.host_leftovers import still
from cai_deploy.node.host_processes import KEPT_BY, began, boot
from cai_deploy.node.host_records import record_file, write
from cai_deploy.places.ssh.programs import LOADER, program_text
from tests.polling import eventually

PROGRAM = program_text("host_leftovers")


def ask(root: Path, verb: str, **request: Any) -> list[dict[str, Any]]:
    body = json.dumps({"directory": str(root), "cluster": "ray", "owner": "owner", **request}).encode()
    stdin = b"%d\n%b%b\n" % (len(PROGRAM), PROGRAM, body)
    argv = [sys.executable, "-I", "-c", LOADER, verb]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    left: list[dict[str, Any]] = json.loads(done.stdout)["left"]
    return left


def started(keeper: str, script: str = "exec sleep 600") -> subprocess.Popen[bytes]:
    environ = {**os.environ, KEPT_BY: keeper}
    return subprocess.Popen(["bash", "-c", script], env=environ, start_new_session=True)


@pytest.fixture
def left() -> Iterator[subprocess.Popen[bytes]]:
    process = started("owner/ray/worker-0", "trap '' TERM; echo; while :; do sleep 1; done")
    yield process
    process.kill()
    process.wait()


def test_what_has_no_keeper_is_found_and_nothing_else(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    others = [started(keeper) for keeper in ("owner/ray2/worker-0", "another/ray/worker-0", "owner/rayx/head")]
    try:
        found = eventually(lambda: [each for each in ask(tmp_path, "find") if each["pid"] == left.pid])
        assert {each["keeper"] for each in ask(tmp_path, "find")} == {"owner/ray/worker-0"}
        assert (found[0]["group"], "bash" in found[0]["command"]) == (left.pid, True)
        assert ask(tmp_path, "end", left=ask(tmp_path, "find"), seconds=1) == []
        assert left.wait(10) == -9
        assert ask(tmp_path, "find") == []
        assert [each.poll() for each in others] == [None, None, None]
    finally:
        for each in others:
            each.kill()
            each.wait()


def test_what_a_keeper_looks_after_is_not_left_over(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    file = record_file(tmp_path, "ray", "worker-0")
    file.parent.mkdir(parents=True)
    keeper = {"keeper": "owner/ray/worker-0", "pid": os.getpid(), "began": began(os.getpid()), "boot": boot()}
    write(file, keeper)
    assert ask(tmp_path, "find") == []
    write(file, {**keeper, "began": "1"})
    assert left.pid in [each["pid"] for each in ask(tmp_path, "find")]


def test_a_number_that_was_given_away_is_left_alone(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    (found,) = eventually(lambda: [each for each in ask(tmp_path, "find") if each["pid"] == left.pid])
    assert still([found]) == [found]
    assert still([{**found, "began": "1"}]) == still([{**found, "group": 1}]) == []
    assert ask(tmp_path, "end", left=[{**found, "began": "1"}, {**found, "group": 1}], seconds=1) == []
    assert left.poll() is None
