"""What nodes have written, read by its bytes, and moved aside when its cluster goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast

import pytest

from cai_deploy.api.errors import ServerError
from cai_deploy.api.files import Files
from cai_deploy.api.schemas import FileInfo
from cai_deploy.places.cai.project_files import CaiFiles
from cai_deploy.places.node_logs import keep_logs, open_logs
from cai_deploy.spec import ClusterSpec
from tests.unit.places.fake_files import missing, project_files
from tests.unit.places.test_cai_build import SEEN
from tests.unit.places.test_cai_place import open_place

RUNNING, KEPT = ".cai-deploy/clusters/ray/logs", ".cai-deploy/logs/ray"


@dataclass
class Disk:
    """The files of a project, with whole directories that can be renamed."""

    texts: dict[str, str] = field(default_factory=dict)

    def list(self, project_id: str, path: str) -> list[FileInfo]:
        found = [name for name in self.texts if name.startswith(f"{path}/")]
        if not found:
            raise missing(path)
        return [FileInfo(path=name.rpartition("/")[2], file_size=len(self.texts[name])) for name in found]

    def download_from(self, project_id: str, path: str, start: int) -> bytes:
        if path not in self.texts:
            raise missing(path)
        return self.texts[path].encode()[start:]

    def delete(self, project_id: str, path: str) -> None:
        self.texts = {name: text for name, text in self.texts.items() if not f"{name}/".startswith(f"{path}/")}

    def rename(self, project_id: str, path: str, to: str) -> None:
        self.list(project_id, path)
        self.texts = {name.replace(f"{path}/", f"{to}/"): text for name, text in self.texts.items()}


def epoch() -> float:
    return 0.0


def blank(text: str) -> str:
    return text.replace("s3cret", "***")


def test_reading_goes_on_where_the_last_whole_line_ended() -> None:
    disk = Disk({f"{RUNNING}/head.log": "the s3cret\nhalf"})
    logs = open_logs(project_files(disk), "ray", now=epoch, redact=blank)
    assert logs.sizes() == {"head.log": 15}
    assert logs.read("head.log") == (["the ***"], 11)
    assert logs.read("head.log", 11) == ([], 11)
    disk.texts[f"{RUNNING}/head.log"] += " a line\n"
    assert logs.read("head.log", 11) == (["half a line"], 23)
    assert logs.read("worker-0.log") == ([], 0)
    assert logs.now() == datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert not logs.kept


def test_what_was_written_outlives_its_cluster_until_the_next_one_goes() -> None:
    disk = Disk({f"{RUNNING}/head.log": "first\n", ".cai-deploy/logs/setup.log": "the job's\n"})
    files = project_files(disk)
    keep_logs(files, "ray")
    assert disk.texts == {f"{KEPT}/head.log": "first\n", ".cai-deploy/logs/setup.log": "the job's\n"}
    keep_logs(files, "ray")
    assert f"{KEPT}/head.log" in disk.texts, "there is nothing to take its place"
    kept = open_logs(project_files(disk), "ray", now=epoch, redact=blank)
    assert kept.kept
    assert kept.read("head.log") == (["first"], 6)

    disk.texts[f"{RUNNING}/worker-0.log"] = "second\n"
    assert not open_logs(project_files(disk), "ray", now=epoch, redact=blank).kept
    keep_logs(files, "ray")
    assert disk.texts == {f"{KEPT}/worker-0.log": "second\n", ".cai-deploy/logs/setup.log": "the job's\n"}


def test_a_rename_whose_answer_was_lost_has_been_done(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk({f"{RUNNING}/head.log": "first\n"})
    rename = disk.rename

    def twice(project_id: str, path: str, to: str) -> None:
        rename(project_id, path, to)
        raise missing(path)

    monkeypatch.setattr(disk, "rename", twice)
    keep_logs(project_files(disk), "ray")
    assert disk.texts == {f"{KEPT}/head.log": "first\n"}


def test_no_project_has_no_logs() -> None:
    logs = open_logs(CaiFiles(cast(Files, Disk()), ""), "ray", now=epoch, redact=blank)
    assert (logs.sizes(), logs.kept) == ({}, False)


def test_a_workspace_that_renames_nothing_keeps_no_cluster_from_going(monkeypatch: pytest.MonkeyPatch) -> None:
    files, said = Disk({f"{RUNNING}/head.log": "first\n"}), list[str]()
    monkeypatch.setattr(files, "read_text", lambda project_id, path: None, raising=False)

    def refuse(project_id: str, path: str, to: str) -> None:
        raise ServerError(501, "not here", method="PATCH", path=path)

    monkeypatch.setattr(files, "rename", refuse)
    place = open_place(cast(Any, files), said)
    monkeypatch.setattr(place._reader, "observe", lambda spec: SEEN)
    place.observe_cluster(ClusterSpec())
    place.forget(ClusterSpec())
    assert files.texts == {}
    assert len(said) == 1
    assert "not kept" in said[0]
