"""Files of a project, with the habits that clients must live with."""

from __future__ import annotations

import pytest

from .conftest import Client


def test_an_upload_creates_directories_and_comes_back_byte_by_byte(shared: Client, project: str) -> None:
    content = bytes(range(256)) * 3000
    shared.upload(project, "deep/er/data.bin", content)
    assert shared.download(project, "deep%2Fer%2Fdata.bin") == content
    assert shared.download(project, "deep/er/data.bin") == content
    entry = {"path": "data.bin", "is_dir": False, "file_size": str(len(content))}
    assert shared.get(f"projects/{project}/files/deep/er")["files"] == [entry]
    assert shared.get(f"projects/{project}/files/deep%2Fer%2Fdata.bin")["files"] == [entry]
    assert shared.get(f"projects/{project}/files/")["files"] == [{"path": "deep", "is_dir": True, "file_size": "0"}]


def test_an_upload_never_replaces(shared: Client, project: str) -> None:
    for content in ("first", "second", "third"):
        shared.upload(project, "d/x.py", content)
    assert shared.names(project, "d") == ["x(1).py", "x(2).py", "x.py"]
    assert shared.download(project, "d/x.py") == b"first"
    assert shared.download(project, "d/x(2).py") == b"third"


def test_the_root_has_several_spellings(shared: Client, project: str) -> None:
    shared.upload(project, "x", "")
    for spelling in ("files", "files/", "files/%2F", "files/."):
        assert [entry["path"] for entry in shared.get(f"projects/{project}/{spelling}")["files"]] == ["x"]


def test_delete_and_rename(shared: Client, project: str) -> None:
    shared.upload(project, "a/b/c.txt", "c")
    assert shared.patch(f"projects/{project}/files/a%2Fb%2Fc.txt", {"path": "z/d.txt"})["path"] == "z/d.txt"
    assert shared.download(project, "z/d.txt") == b"c"
    shared.delete(f"projects/{project}/files/a")
    assert shared.names(project) == ["z"]
    shared.delete(f"projects/{project}/files/z%2Fd.txt")
    assert shared.names(project, "z") == []
    assert shared.refused("GET", f"projects/{project}/files/z/d.txt")[0] == 404
    assert shared.refused("DELETE", f"projects/{project}/files/z/d.txt")[0] == 404


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a/../b", ".."])
def test_an_upload_cannot_leave_the_project(shared: Client, project: str, path: str) -> None:
    response = shared.ask("POST", f"projects/{project}/files", files={path: ("x", b"out")})
    assert response.status_code == 400
    assert shared.names(project) == []
    assert not (shared.endpoint.home / "projects" / "x").exists()


def test_no_path_leads_out_of_the_project(shared: Client, project: str) -> None:
    directory = shared.endpoint.home / "projects" / project
    (directory / "link").symlink_to(shared.endpoint.home)
    base = f"projects/{project}/files"
    for path in (
        "link/workspace.json",
        "link%2Fworkspace.json",
        "%2E%2E%2F..%2Fworkspace.json",
        "..%2F..%2Fworkspace.json",
    ):
        assert shared.ask("GET", f"{base}/{path}").status_code in {400, 404}, path
        assert shared.ask("POST", f"{base}/{path}:download").status_code in {400, 404}, path
        assert shared.ask("DELETE", f"{base}/{path}").status_code in {400, 404}, path
    response = shared.ask("POST", base, files={"link/x": ("x", b"out")})
    assert response.status_code == 400
    assert shared.ask("DELETE", f"{base}/").status_code == 400
    assert (shared.endpoint.home / "workspace.json").exists()
    shared.delete(f"{base}/link")  # the link itself may go
    assert shared.endpoint.home.exists()
    assert shared.names(project) == []
