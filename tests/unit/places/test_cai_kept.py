"""A file that is replaced is there at every moment, whenever its writer dies."""

from __future__ import annotations

from typing import cast

import pytest

from cai_deploy.api.files import Files
from cai_deploy.places.cai import kept
from cai_deploy.places.cai.texts import Texts
from cai_deploy.places.token_door import TokenDoor
from tests.unit.places.fake_files import FakeFiles

PATH = "spec.json"


class Died(BaseException):
    pass


class Mortal(FakeFiles):
    """Dies at the k-th deletion or creation."""

    def __init__(self, dies_at: int) -> None:
        super().__init__()
        self.left = dies_at

    def upload(self, project_id: str, path: str, content: bytes) -> None:
        self.delete(project_id, path)
        self._live()
        self.texts[path] = content.decode()

    def delete(self, project_id: str, path: str) -> None:
        self._live()
        super().delete(project_id, path)

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died


def read(files: FakeFiles) -> str | None:
    return kept.read(Texts(cast(Files, files), cast(TokenDoor, None)), "p1", PATH)


@pytest.mark.parametrize("dies_at", range(6))
def test_the_old_or_the_new_one(dies_at: int) -> None:
    files = Mortal(dies_at)
    files.texts = {PATH: "old", PATH + kept.SPARE: "old"}
    both = {PATH: "new", PATH + kept.SPARE: "new"}
    try:
        kept.replace(cast(Files, files), "p1", PATH, "new")
        assert files.texts == both
    except Died:
        assert read(files) in ("old", "new")
        files.left = 100
        kept.replace(cast(Files, files), "p1", PATH, "new")
        assert files.texts == both


def test_a_deletion_that_comes_too_late_takes_one_of_two() -> None:
    for late in (PATH, PATH + kept.SPARE):
        files = FakeFiles()
        kept.create(cast(Files, files), "p1", PATH, "new")
        assert not [call for call in files.calls if call.startswith("delete")]
        files.delete("p1", late)
        assert read(files) == "new"


def test_nothing_is_none() -> None:
    assert read(FakeFiles()) is None
