"""The place as a whole, where it decides: a refused upload, and what is looked at again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.errors import BadRequest, ServerError
from cai_deploy.api.schemas import AcceleratorLabel, Job, Project, UserQuota
from cai_deploy.config import parse
from cai_deploy.places.cai import CaiPlace
from cai_deploy.places.cai.build import Site
from cai_deploy.render import LAUNCHER_SIGN
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Ground, GroundState, Step
from tests.unit.places.fake_files import FakeFiles
from tests.unit.places.test_cai_build import PROJECT, SEEN

UPLOAD = Step(
    "create",
    "launcher",
    "ray_head_launcher.py",
    "does not exist",
    0,
    request={"body": {"path": "a.py", "content": "x"}},
)


def refused(kind: type[Any], status: int) -> Any:
    return kind(status=status, code=None, message="no", request_id="r-1", method="POST", path="/files")


@dataclass
class Files:
    """The files of a project, which may refuse an upload."""

    error: Exception | None = None
    texts: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def create(self, project_id: str, path: str, content: bytes) -> None:
        self.upload(project_id, path, content)

    def upload(self, project_id: str, path: str, content: bytes) -> None:
        if self.error:
            raise self.error
        self.texts[path] = content.decode()

    def read_text(self, project_id: str, path: str) -> str | None:
        self.reads.append(path)
        return self.texts.get(path)

    def exists(self, project_id: str, path: str) -> bool:
        self.reads.append(path)
        return True


@dataclass
class NoJobs:
    def list(self, project_id: str) -> list[Job]:
        return []


class NoQuotas:
    def quotas(self) -> list[UserQuota]:
        return []

    def accelerators(self) -> list[AcceleratorLabel]:
        return []


@dataclass
class Workspace:
    files: Files
    jobs: NoJobs = field(default_factory=NoJobs)
    capacity: NoQuotas = field(default_factory=NoQuotas)


def open_place(files: Files, said: list[str]) -> CaiPlace:
    client = cast(Client, Workspace(files))
    door = ApplicationHttp("https://ml.example.com", "key")
    return CaiPlace(client, door, Site("https://ml.example.com", "u"), project_id=PROJECT, say=said.append)


def test_a_refused_upload_turns_to_inline_commands_and_says_so() -> None:
    said: list[str] = []
    place = open_place(Files(refused(BadRequest, 400)), said)
    place.apply(UPLOAD)
    assert len(said) == 1
    assert "nodes run the inline `ray start` command instead" in said[0]
    scripts = [node.create["body"]["script"] for node in place.build(ClusterSpec(), SEEN).nodes]
    assert all("ray start" in script for script in scripts)


def test_a_platform_fault_is_no_refusal() -> None:
    said: list[str] = []
    place = open_place(Files(refused(ServerError, 503)), said)
    with pytest.raises(ServerError):
        place.apply(UPLOAD)
    assert said == []
    assert place.build(ClusterSpec(), SEEN).nodes[0].create["body"]["script"] == "ray_head_launcher.py"


def test_ground_that_stands_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files()
    place = open_place(files, [])
    spec = ClusterSpec()
    wanted = place.build(spec, SEEN)
    for ground in (*wanted.ground, *wanted.records):
        if ground.kind in ("program", "launcher", "specification", "record"):
            files.texts[ground.request["body"]["path"]] = ground.request["body"]["content"]
    monkeypatch.setattr(place._reader, "observe", lambda spec: SEEN)
    first = place.observe(spec)
    assert {ground.state for ground in first.ground} == {GroundState.READY}
    assert len(files.reads) == 6
    assert place.observe(spec) == first
    assert len(files.reads) == 6


def test_a_project_that_is_being_cloned_has_no_ground_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files()
    place = open_place(files, [])
    cloning = Ground("project", "ray", GroundState.IN_PROGRESS)
    seen = SEEN.__class__(project=Project(id=PROJECT), ground=(cloning,), runtimes=SEEN.runtimes)
    monkeypatch.setattr(place._reader, "observe", lambda spec: seen)
    assert place.observe(ClusterSpec()).ground == (cloning,)
    assert files.reads == []


def test_what_is_removed_with_a_cluster_is_what_was_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    files = FakeFiles()
    ours, theirs = f'"""A worker, {LAUNCHER_SIGN} 0.1.0."""', "print('my own')"
    files.texts = {
        "ray_head_launcher.py": theirs,
        "ray_worker_launcher.py": ours,
        "ray_worker_gpu_launcher.py": ours,
        "other_worker_launcher.py": ours,
    }
    place = open_place(cast(Any, files), [])
    applied = parse("workers: [{}, {name: gpu}]")
    monkeypatch.setattr(place._reader, "observe", lambda spec: replace(SEEN, applied_spec=applied))
    place.observe_cluster(ClusterSpec())
    place.forget(ClusterSpec())
    assert set(files.texts) == {"ray_head_launcher.py", "other_worker_launcher.py"}
    assert "delete .cai-deploy/clusters/ray" in files.calls


def test_a_project_that_is_being_cloned_has_no_files_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    files = FakeFiles()
    place = open_place(cast(Any, files), [])
    cloning = Ground("project", "ray", GroundState.IN_PROGRESS)
    monkeypatch.setattr(place._reader, "observe", lambda spec: replace(SEEN, ground=(cloning,)))
    place.observe_cluster(ClusterSpec())
    place.forget(ClusterSpec())
    assert files.calls == []
