"""The files of a project directory: the same answers from a workspace and from a directory; what a directory adds."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import cast

import pytest

from cai_deploy.api.files import Files
from cai_deploy.errors import ConfigError
from cai_deploy.places.cai.project_files import CaiFiles
from cai_deploy.places.directory import DirectoryFiles, DirectoryTrouble
from cai_deploy.places.files import Entry, ProjectFiles
from tests.unit.places.fake_files import FakeFiles, project_files


@pytest.fixture(params=["workspace", "directory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> ProjectFiles:
    return project_files(FakeFiles()) if request.param == "workspace" else DirectoryFiles(tmp_path)


def test_what_is_written_can_be_read_from_any_byte_on(files: ProjectFiles) -> None:
    files.create("a/b/log.txt", b"one\ntwo\n")
    assert files.read_text("a/b/log.txt") == "one\ntwo\n"
    assert files.download_from("a/b/log.txt", 4) == b"two\n"
    assert files.download_from("a/b/log.txt", 99) == b""
    assert files.exists("a/b/log.txt")
    assert files.exists("a")


def test_what_is_not_there_is_none_and_nothing(files: ProjectFiles) -> None:
    files.create("a/file", b"x")
    for path in ("missing", "a/missing", "a/missing/below"):
        assert files.read_text(path) is None
        assert files.download_from(path, 0) is None
        assert files.list(path) == []
        assert not files.exists(path)
        assert not files.rename(path, "elsewhere")
        files.delete(path)


def test_a_listing_has_names_sizes_and_directories(files: ProjectFiles) -> None:
    assert files.list("") == []
    files.create("a/two", b"22")
    files.create("a/one", b"1")
    files.create("a/below/deep", b"")
    assert files.list("a") == [Entry("below", is_dir=True), Entry("one", file_size=1), Entry("two", file_size=2)]
    assert files.list("") == [Entry("a", is_dir=True)]


def test_an_upload_takes_the_place_of_what_was_there(files: ProjectFiles) -> None:
    files.upload("spec.json", b"a long one")
    files.upload("spec.json", b"short")
    assert files.read_text("spec.json") == "short"
    assert files.list("") == [Entry("spec.json", file_size=5)]


def test_a_directory_goes_with_all_that_is_in_it_and_nothing_else(files: ProjectFiles) -> None:
    for path in ("ray/logs/head.log", "ray/spec.json", "ray-two/spec.json"):
        files.create(path, b"x")
    files.delete("ray")
    assert files.list("") == [Entry("ray-two", is_dir=True)]


def test_a_directory_moves_with_all_that_is_in_it(files: ProjectFiles) -> None:
    files.create("ray/logs/head.log", b"x")
    assert files.rename("ray/logs", "kept/ray")
    assert files.read_text("kept/ray/head.log") == "x"
    assert not files.rename("ray/logs", "kept/ray")
    assert files.read_text("kept/ray/head.log") == "x"


def test_while_there_is_no_project_it_has_no_files() -> None:
    fake = FakeFiles()
    fake.texts["a"] = "somebody's"
    none = CaiFiles(cast(Files, fake), "")
    assert (none.list(""), none.exists("a"), none.read_text("a"), none.download_from("a", 0)) == ([], False, None, None)


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/passwd", "a\0b"])
def test_no_path_leaves_the_directory(tmp_path: Path, path: str) -> None:
    files = DirectoryFiles(tmp_path / "project")
    for ask in (files.list, files.exists, files.read_text, files.delete):
        with pytest.raises(ConfigError):
            ask(path)
    with pytest.raises(ConfigError):
        files.upload(path, b"x")
    with pytest.raises(ConfigError):
        files.rename("a", path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", "."])
def test_the_directory_itself_is_never_removed(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        DirectoryFiles(tmp_path).delete(path)
    assert tmp_path.is_dir()


def test_a_file_that_was_its_owners_alone_stays_so(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old")
    secret.chmod(0o600)
    DirectoryFiles(tmp_path).upload("token", b"new")
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("new", 0o600)


def test_a_new_file_is_as_open_as_the_users_others(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("x")
    DirectoryFiles(tmp_path).create("ours", b"x")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")}
    assert modes["ours"] == modes["usual"]


def test_a_reader_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    files, ends, seen = DirectoryFiles(tmp_path), threading.Event(), set[str | None]()
    contents = [letter.encode() * 50_000 for letter in "ab"]
    files.upload("file", contents[0])

    def look() -> None:
        while not ends.is_set():
            seen.add(files.read_text("file"))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(60):
        files.upload("file", contents[number % 2])
    ends.set()
    reader.join()
    assert seen <= {content.decode() for content in contents}
    assert files.list("") == [Entry("file", file_size=50_000)], "nothing is left beside it"


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere, project = tmp_path / "scratch", tmp_path / "project"
    (elsewhere / "big").mkdir(parents=True)
    project.mkdir()
    (elsewhere / "big" / "file").write_text("x")
    (project / "state").symlink_to(elsewhere)
    files = DirectoryFiles(project)
    assert files.read_text("state/big/file") == "x"
    files.delete("state")
    assert not files.exists("state")
    assert (elsewhere / "big" / "file").read_text() == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_what_the_file_system_refuses_is_told_with_the_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DirectoryTrouble) as caught:
        DirectoryFiles(tmp_path).upload("file", b"x")
    assert "Permission denied" in str(caught.value)
    assert str(tmp_path) in caught.value.next_step


def test_a_file_where_a_directory_is_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(DirectoryTrouble, match="cannot write"):
        DirectoryFiles(tmp_path).upload("a/b", b"x")
    (tmp_path / "directory").mkdir()
    with pytest.raises(DirectoryTrouble, match="cannot read"):
        DirectoryFiles(tmp_path).read_text("directory")
    with pytest.raises(DirectoryTrouble, match="cannot write"):
        DirectoryFiles(tmp_path).upload("directory", b"x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "directory"]
