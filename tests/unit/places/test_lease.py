"""Claims on a cluster: one at a time, whoever comes when."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from cai_deploy.errors import PlaceUnreachable
from cai_deploy.holder import Holder, this_process
from cai_deploy.places import lease as lease_module
from cai_deploy.places.base import HeldByAnother, LeaseLost
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.places.files import Entry, ProjectFiles
from cai_deploy.places.lease import LIFETIME, Claims, Lease
from tests.polling import eventually
from tests.unit.places.fake_files import FakeFiles, project_files

ELSEWHERE = Holder("ann@laptop", "launch", "another machine", 17, "1")
HERE = this_process("launch")
DIRECTORY = ".cai-deploy/clusters/ray/lease"


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files() -> FakeFiles:
    return FakeFiles()


@pytest.fixture
def claims(files: FakeFiles, clock: Clock) -> Claims:
    return Claims(project_files(files), "ray", clock)


@pytest.fixture
def take(claims: Claims) -> Iterator[Callable[..., Lease]]:
    taken: list[Lease] = []

    def take(by: Holder = HERE, after: int = 0) -> Lease:
        taken.append(claims.take(by, after))
        return taken[-1]

    yield take
    for lease in taken:
        lease.release()


def test_it_is_a_file_while_it_is_held(files: FakeFiles, take: Callable[..., Lease]) -> None:
    lease = take()
    assert len(files.texts) == 1
    lease.confirm()
    lease.release()
    assert files.texts == {}
    assert not lease.held


def test_the_second_is_told_who_holds_it(claims: Claims, take: Callable[..., Lease]) -> None:
    take(ELSEWHERE)
    with pytest.raises(HeldByAnother) as caught:
        claims.take(HERE, 0)
    assert str(caught.value) == "ray: is being changed by ann@laptop, launch, process 17"


def test_who_is_refused_leaves_no_claim(files: FakeFiles, claims: Claims, take: Callable[..., Lease]) -> None:
    take(ELSEWHERE)
    with pytest.raises(HeldByAnother):
        claims.take(HERE, 0)
    assert len(files.texts) == 1


def test_a_claim_that_ran_out_stops_nobody(
    files: FakeFiles, clock: Clock, claims: Claims, take: Callable[..., Lease]
) -> None:
    claims.write("0" * 12, ELSEWHERE)
    clock.time += LIFETIME + 1
    take()
    assert len(files.texts) == 1


def test_a_holder_here_that_is_gone_is_not_waited_for(claims: Claims, take: Callable[..., Lease]) -> None:
    claims.write("0" * 12, replace(HERE, started="1"))
    take()


def test_a_claim_that_cannot_be_read_counts_as_somebodys(files: FakeFiles, claims: Claims) -> None:
    claims.write("0" * 12, ELSEWHERE)
    files.texts = dict.fromkeys(files.texts, "{half")
    with pytest.raises(HeldByAnother, match="somebody"):
        claims.take(HERE, 0)


def test_files_that_are_no_claims_are_left_alone(files: FakeFiles, take: Callable[..., Lease]) -> None:
    files.texts[f"{DIRECTORY}/README"] = "mine"
    take()
    assert f"{DIRECTORY}/README" in files.texts


def test_epochs_rise_even_when_clocks_do_not(clock: Clock, take: Callable[..., Lease]) -> None:
    first = take()
    first.release()
    second = take(after=first.epoch)
    assert second.epoch > first.epoch


def test_it_is_renewed_before_it_runs_out_and_never_missing(
    files: FakeFiles, clock: Clock, claims: Claims, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_EVERY", 0.01)
    lease = take()
    for _ in range(3):
        before = set(files.texts)
        clock.time += LIFETIME / 2
        eventually(lambda before=before: set(files.texts).isdisjoint(before))
        lease.confirm()
    with pytest.raises(HeldByAnother):
        claims.take(ELSEWHERE, 0)


def test_who_cannot_renew_must_not_go_on(
    files: FakeFiles, clock: Clock, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take()

    def unreachable(*_: object) -> None:
        raise PlaceUnreachable("no network")

    monkeypatch.setattr(files, "create", unreachable)
    lease.confirm()
    clock.time += LIFETIME
    with pytest.raises(LeaseLost, match="could not be renewed"):
        lease.confirm()


def test_who_finds_another_when_renewing_has_lost_it(
    clock: Clock, claims: Claims, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_EVERY", 0.01)
    lease = take()
    claims.write("0" * 12, ELSEWHERE)

    def lost() -> bool:
        try:
            lease.confirm()
        except LeaseLost as error:
            return "ann@laptop" in str(error)
        return False

    eventually(lost)


@pytest.mark.parametrize("where", ["workspace", "directory"])
def test_of_many_at_once_never_two_have_it(where: str, clock: Clock, tmp_path: Path) -> None:
    """Whoever gets it says so and looks around before giving it back; calls are mixed up by a seed that is told."""
    seed = 20261121
    inside: list[str] = []
    together: list[list[str]] = []
    gained = []

    class Slow:
        """Files that take a while to be listed."""

        def __init__(self, files: ProjectFiles) -> None:
            self.files = files

        def list(self, path: str) -> list[Entry]:
            pause()
            return self.files.list(path)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.files, name)

    def pause() -> None:
        threading.Event().wait(chance.random() / 500)

    chance = random.Random(seed)
    files: ProjectFiles = DirectoryFiles(tmp_path) if where == "directory" else project_files(FakeFiles())
    kept = cast(ProjectFiles, Slow(files))
    shared = Claims(kept, "ray", clock)

    def contend(name: str) -> None:
        for _ in range(30):
            try:
                lease = shared.take(replace(ELSEWHERE, who=name), 0)
            except HeldByAnother:
                pause()
                continue
            inside.append(name)
            together.append(list(inside))
            gained.append(name)
            pause()
            inside.remove(name)
            lease.release()

    threads = [threading.Thread(target=contend, args=(f"d{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gained, f"nobody ever got it (seed {seed})"
    assert all(len(group) == 1 for group in together), f"seed {seed}: {together}"
    assert files.list(DIRECTORY) == []
