"""What is done on a host, with real processes, as it is done over SSH: as a program on stdin."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.node.host_boot import start_again
from cai_deploy.places.ssh.programs import LOADER, program_text
from tests.polling import eventually

PROGRAM = program_text("host_control")
KEEPER = "owner/ray/worker-0"


class Host:
    def __init__(self, root: Path) -> None:
        self.root = root

    def ask(self, verb: str, payload: bytes = b"", **request: Any) -> dict[str, Any]:
        body = json.dumps({"directory": str(self.root), "cluster": "ray", **request}).encode()
        stdin = b"%d\n%b%b\n%b" % (len(PROGRAM), PROGRAM, body, payload)
        argv = [sys.executable, "-I", "-c", LOADER, verb]
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self, script: str, *, replace: bool = False, seconds: float = 5.0, **more: Any) -> dict[str, Any]:
        mark = {"cluster": "ray", "owner": "owner", "node": "worker-0", "group": "worker"}
        return self.ask(
            "start",
            node="worker-0",
            mark={**mark, "fingerprint": "f", "epoch": 1, "address": "127.0.0.1"},
            keeper=KEEPER,
            replace=replace,
            seconds=seconds,
            output="out.txt",
            environment={"SECRET": "s3cret"},
            command=["bash", "-c", script],
            **more,
        )

    def stop(self, seconds: float = 5.0) -> bool:
        return bool(self.ask("stop", node="worker-0", seconds=seconds, keeper=KEEPER)["gone"])

    @property
    def node(self) -> dict[str, Any] | None:
        return next(iter(self.ask("status")["nodes"]), None)

    def launched(self) -> dict[str, Any]:
        node: dict[str, Any] = eventually(lambda: self.node if self.node and self.node["launched"] else None)
        return node

    def printed(self) -> str:
        out = self.root / "out.txt"
        return out.read_text() if out.exists() else ""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host")
    made.root.mkdir()
    yield made
    made.stop(seconds=0)
    made.stop(seconds=0)


def lives(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) != "Z"
    except OSError:
        return False


def test_a_node_outlives_who_started_it_and_is_found_again(host: Host) -> None:
    assert host.start("echo $$ $CDSW_APP_PORT $SECRET; exec sleep 600")["started"]
    node = host.launched()
    assert (node["lives"], node["node"], node["ended"]) == (True, "worker-0", None)
    eventually(lambda: host.printed().endswith("s3cret\n"))
    pid, port, _ = host.printed().split()
    assert int(port) == node["port"]
    assert lives(int(pid))
    assert not host.start("echo never")["started"]
    assert "s3cret" not in (host.root / layout.host_record_file("ray", "worker-0")).read_text()


def test_what_it_was_started_with_is_its_owners_alone_and_starts_it_again(host: Host) -> None:
    host.start("echo $SECRET; exit 3")
    eventually(lambda: host.node and host.node["ended"])
    assert host.node["ended"]["status"] == 3
    kept = host.root / layout.host_record_file("ray", "worker-0").replace(".json", ".request")
    assert kept.stat().st_mode & 0o077 == 0
    assert host.ask("start", node="worker-0", replace=True, seconds=5)["started"]
    eventually(lambda: host.printed() == "s3cret\ns3cret\n")


@pytest.mark.parametrize(("status", "stays"), [(0, False), (3, True)])
def test_a_node_that_ends_well_takes_along_what_its_farewell_names(host: Host, status: int, stays: bool) -> None:
    (host.root / "launcher.py").write_text("")
    (host.root / ".cai-deploy" / "code").mkdir(parents=True)
    farewell = {"paths": ["launcher.py", "out.txt"], "kept": []}
    host.start(f"exit {status}", farewell=farewell)
    eventually(lambda: (host.node or {}).get("ended") if stays else not host.root.exists())
    assert (host.root / "launcher.py").exists() == stays


def test_a_node_that_is_told_to_end_leaves_nothing(host: Host) -> None:
    host.start("trap 'echo bye; exit 0' TERM; setsid sleep 601 & echo $!; sleep 602 & wait")
    eventually(lambda: host.printed().strip())
    left = int(host.printed().split()[0])
    assert not host.stop()
    eventually(lambda: host.node is None)
    assert not lives(left)
    assert "bye" in host.printed()
    assert host.stop()


def test_a_node_that_does_not_heed_is_killed_when_its_time_is_over(host: Host) -> None:
    host.start("trap '' TERM; setsid sleep 603 & echo $!; while :; do sleep 1; done")
    eventually(lambda: host.printed().strip())
    left = int(host.printed().split()[0])
    assert not host.stop(seconds=60)
    assert host.node is not None
    assert host.node["stopping"] is not None
    assert not host.stop(seconds=60)
    assert host.stop(seconds=0)
    assert host.node is None
    eventually(lambda: not lives(left))


def test_a_node_is_followed_by_the_one_that_replaces_it(host: Host) -> None:
    host.start("trap 'sleep 0.5; echo old is gone; exit 0' TERM; echo old; sleep 604 & wait")
    eventually(lambda: host.printed() == "old\n")
    assert host.start("echo new; exec sleep 605", replace=True)["started"]
    eventually(lambda: host.printed() == "old\nold is gone\nnew\n")
    assert host.launched()["lives"]


def test_what_a_killed_keeper_leaves_is_ended_before_the_next_start(host: Host) -> None:
    host.start("setsid sleep 606 & echo $!; wait")
    eventually(lambda: host.printed().strip())
    left = int(host.printed().split()[0])
    os.kill(host.launched()["pid"], signal.SIGKILL)
    eventually(lambda: not host.node["lives"])
    assert host.node["ended"] is None
    assert lives(left)
    host.start("exec sleep 607")
    eventually(lambda: not lives(left))


def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_node(host: Host) -> None:
    host.start("exit 0")
    eventually(lambda: host.node and host.node["ended"])
    file = host.root / layout.host_record_file("ray", "worker-0")
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": os.getpid()}))
    assert not host.node["lives"]
    assert host.stop(seconds=0)
    assert lives(os.getpid())


def test_a_program_that_is_not_there(host: Host) -> None:
    host.ask(
        "start",
        node="worker-0",
        mark={"cluster": "ray", "node": "worker-0"},
        keeper=KEEPER,
        replace=False,
        seconds=1,
        output="out.txt",
        environment={},
        command=["no-such-program"],
    )
    eventually(lambda: host.node and host.node["ended"])
    assert host.node["ended"]["status"] == 127
    assert "no-such-program" in host.node["ended"]["why"]


def test_an_archive_is_put_in_place_once(host: Host) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(__file__, "package/module.py")
    for _ in range(2):
        host.ask("unpack", packed.getvalue(), path=".cai-deploy/code/abc")
    assert (host.root / ".cai-deploy/code/abc/package/module.py").is_file()
    assert host.ask("status")["code"] == ["abc"]


def test_removal_leaves_what_is_kept_and_what_another_cluster_needs(host: Host) -> None:
    files = (".cai-deploy/logs/ray/head.log", ".cai-deploy/code/abc/x", "launcher.py", "mine.txt")
    clusters = (".cai-deploy/clusters/ray/spec.json", ".cai-deploy/clusters/other/spec.json")
    for path in (*files, *clusters):
        (host.root / path).parent.mkdir(parents=True, exist_ok=True)
        (host.root / path).write_text("text")
    assert host.ask("remove", paths=["launcher.py"], kept=["logs"])["others"] == ["other"]
    assert left(host) == [".cai-deploy/clusters/other/spec.json", ".cai-deploy/code/abc/x", files[0], "mine.txt"]
    assert host.ask("remove", cluster="other", paths=[], kept=["logs"])["others"] == []
    assert left(host) == [files[0], "mine.txt"]


def test_a_host_without_anything_is_left_as_it_was(tmp_path: Path) -> None:
    host = Host(tmp_path / "nothing" / "here")
    assert host.ask("status", files=["x"], texts=["x"])["files"] == {"x": ""}
    assert host.ask("remove", paths=["x"], kept=[])["others"] == []
    assert host.stop()
    assert not (tmp_path / "nothing").exists()


def left(host: Host) -> list[str]:
    return sorted(str(each.relative_to(host.root)) for each in host.root.rglob("*") if each.is_file())


def test_after_a_boot_what_ran_before_is_started_again_and_nothing_else(host: Host) -> None:
    host.start("echo $SECRET; exec sleep 608")
    host.launched()
    assert start_again(host.root, "ray") == []
    os.kill(host.launched()["pid"], signal.SIGKILL)
    file = host.root / layout.host_record_file("ray", "worker-0")
    file.write_text(json.dumps({**json.loads(file.read_text()), "boot": "an earlier one"}))
    (started,) = start_again(host.root, "ray")
    assert started["started"]
    assert host.launched()["lives"]
    eventually(lambda: host.printed() == "s3cret\ns3cret\n")


def test_after_a_boot_an_address_that_is_not_here_yet_is_waited_for(host: Host) -> None:
    host.start("exec sleep 609")
    os.kill(host.launched()["pid"], signal.SIGKILL)
    file = host.root / layout.host_record_file("ray", "worker-0")
    away = {**json.loads(file.read_text()), "boot": "an earlier one", "address": "192.0.2.1"}
    file.write_text(json.dumps(away))
    began = time.monotonic()
    (started,) = start_again(host.root, "ray", wait=1.0)
    assert started["started"], "it says itself what is wrong"
    assert time.monotonic() - began >= 1.0


def test_a_node_is_told_what_a_person_finds_it_by(host: Host) -> None:
    pid = host.start("echo $CAI_DEPLOY_PROCESS; exec sleep 610")["pid"]
    eventually(lambda: host.printed() == f"{pid}.{socket.gethostname()}\n")
