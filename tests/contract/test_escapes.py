"""Paths that try to lead out of a project: whatever they are spelt like and wherever they are put, nothing gets out."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.contract.workspace import Checked, eventually, running

SECRET = "the-secret-outside"
NAME = "escaped.txt"


@dataclass
class Place:
    """A workspace deep inside a directory in which nothing else may appear, change or be read."""

    root: Path
    client: Checked
    project: str

    def raw(
        self, method: str, target: str, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[int, str]:
        """Send a target as it is: no library cleans it up on the way."""
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.client.endpoint.host).port, timeout=30)
        headers = {"Authorization": f"Bearer {self.client.endpoint.api_key}", "Content-Type": content_type}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def escaped(self) -> list[str]:
        """What was written outside of every project."""
        found = {path.relative_to(self.root).as_posix() for path in self.root.rglob("*escaped*")}
        return sorted(path for path in found if "/workspace/projects/" not in f"/{path}" or path.count("/") < 4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("escapes")
    (root / "secret.txt").write_text(SECRET)
    with running(root / "home") as endpoint:
        client = Checked(endpoint)
        project = client.good("POST", "projects", json={"name": "p", "template": "local"})["id"]
        eventually(lambda: client.good("GET", f"projects/{project}")["creation_status"] == "success")
        client.good("POST", f"projects/{project}/files", files={"here.txt": "here", "dir/there.txt": "there"})
        (endpoint.home / "projects" / project / "link").symlink_to(root)
        yield Place(root, client, project)


def spellings(root: Path, name: str) -> list[str]:
    """Ways to say "the file ``name`` beside the workspace"."""
    up = "../../../.."
    return [
        f"{up}/{name}",
        f"dir/../{up}/{name}",
        f"./././{up}/{name}",
        f"{root}/{name}",
        f"//{root}/{name}",
        f"..\\..\\..\\..\\{name}",
        f"link/{name}",
        f"{up}/{name}\0.txt",
        f"dir/\0{up}/{name}",
    ]


@pytest.mark.parametrize("number", range(9))
def test_nothing_gets_out(place: Place, number: int) -> None:
    files = f"/api/v2/projects/{place.project}/files"
    reading, writing = spellings(place.root, "secret.txt")[number], spellings(place.root, NAME)[number]
    encodings = [quote(reading, safe=""), quote(reading, safe="/"), quote(reading, safe="").replace(".", "%2e")]
    answers = [place.raw("GET", f"{files}/{path}") for path in encodings]
    answers += [place.raw("POST", f"{files}/{path}:download") for path in encodings]
    answers += [place.raw("DELETE", f"{files}/{path}") for path in encodings]
    answers.append(place.raw("PATCH", f"{files}/here.txt", json.dumps({"path": writing}).encode()))
    for path in encodings:
        answers.append(place.raw("PATCH", f"{files}/{path}", json.dumps({"path": "stolen.txt"}).encode()))
    form = f'--b\r\nContent-Disposition: form-data; name="{writing}"; filename="x"\r\n\r\nescaped\r\n--b--\r\n'
    answers.append(place.raw("POST", files, form.encode(), "multipart/form-data; boundary=b"))
    answers.append(place.raw("PUT", files, form.encode(), "multipart/form-data; boundary=b"))

    assert [answer for answer in answers if answer[0] >= 500] == []
    assert [answer for answer in answers if SECRET in answer[1]] == []
    assert (place.root / "secret.txt").read_text() == SECRET
    assert place.escaped() == []


def test_a_job_whose_script_is_elsewhere_is_refused(place: Place) -> None:
    runtime = place.client.good("GET", "runtimes")["runtimes"][0]["image_identifier"]
    (place.root / "outside.py").write_text("print()")
    for script in spellings(place.root, "outside.py"):
        body = {"name": "job", "script": script, "runtime_identifier": runtime}
        assert place.client.send("POST", f"projects/{place.project}/jobs", json=body).status_code == 400, script


def test_the_check_sees_an_escape(place: Place) -> None:
    inside = place.client.endpoint.home / "projects" / place.project / NAME
    inside.write_text("may be here")
    assert place.escaped() == []
    inside.unlink()
    for outside in (place.root / NAME, place.client.endpoint.home / "projects" / NAME):
        outside.write_text("must not be here")
        assert place.escaped() == [outside.relative_to(place.root).as_posix()]
        outside.unlink()
