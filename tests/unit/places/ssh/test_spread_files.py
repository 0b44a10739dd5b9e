"""What nodes have written on many hosts, as if it stood in one place; and who of many hosts could not be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cai_deploy.places.files import Entry
from cai_deploy.places.ssh.crowd import ask_all, do_all
from cai_deploy.places.ssh.errors import HostTrouble, HostUnreachable
from cai_deploy.places.ssh.spread_files import SpreadFiles
from cai_deploy.ssh_hosts import SshHost

A, B, C = (SshHost(address=name) for name in "abc")


class Files:
    """A host's files, in memory; None for a host that does not answer."""

    def __init__(self, host: SshHost, texts: Mapping[str, bytes] | None) -> None:
        self.host = host
        self._texts = texts

    @property
    def texts(self) -> Mapping[str, bytes]:
        if self._texts is None:
            raise HostUnreachable(self.host.name, "no route")
        return self._texts

    def list(self, path: str) -> list[Entry]:
        found = {each.rpartition("/")[2]: text for each, text in self.texts.items() if each.rpartition("/")[0] == path}
        return [Entry(name, file_size=len(text)) for name, text in found.items()]

    def download_from(self, path: str, start: int) -> bytes | None:
        return self.texts[path][start:]


def spread(**texts: Mapping[str, bytes] | None) -> SpreadFiles:
    files: Any = {name: Files(SshHost(address=name), each) for name, each in texts.items()}
    return SpreadFiles(files)


def test_each_file_is_read_where_it_is() -> None:
    files = spread(a={"logs/head.log": b"head\n"}, b={"logs/worker-0.log": b"worker\n"}, c=None)
    assert [entry.path for entry in files.list("logs")] == ["head.log", "worker-0.log"]
    assert files.read_text("logs/worker-0.log") == "worker\n"
    assert files.download_from("logs/head.log", 2) == b"ad\n"
    assert files.read_text("logs/none.log") is None


def test_of_a_node_that_moved_the_larger_file_counts() -> None:
    files = spread(a={"logs/worker-0.log": b"old"}, b={"logs/worker-0.log": b"much longer"})
    assert files.read_text("logs/worker-0.log") == "much longer"
    assert [entry.file_size for entry in files.list("logs")] == [len(b"much longer")]


def test_who_does_not_answer_is_told_apart_from_who_refuses() -> None:
    def ask(host: SshHost) -> str:
        if host == B:
            raise HostUnreachable("b", "no route")
        return host.name

    answers = ask_all([A, B, C], ask)
    assert answers.done == {"a": "a", "c": "c"}
    assert answers.silent == {"b": "b does not answer: no route"}
    with pytest.raises(HostUnreachable):
        do_all([A, B], ask)

    def refuse(host: SshHost) -> str:
        raise HostTrouble(host.name, "do it", "full")

    with pytest.raises(HostTrouble):
        ask_all([A], refuse)
    assert ask_all([], ask).done == {}
