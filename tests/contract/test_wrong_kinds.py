"""Every field of every body, sent as what it is not: refused or ignored, never a server error, never kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.workspace import (
    DOCUMENT,
    OPERATIONS,
    Checked,
    eventually,
    operation_of,
    response_schema,
    violations,
)

VALUES: list[Any] = [
    {"a": 1},
    [1],
    "text",
    7,
    1.5,
    True,
    -1,
    "",
    "a\0b",
    "\ud800",
    1e308,
    10**30,
    float("nan"),
    float("inf"),
]


def _bodies() -> list[Any]:
    found = []
    for name, (_, _, stated) in sorted(OPERATIONS.items()):
        content = stated.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            found.append(pytest.param(name, schema["properties"], id=name))
    return found


def _no_json(word: str) -> None:
    raise ValueError(word)


@pytest.fixture(scope="module")
def known(client: Checked, runtime: str) -> Iterator[dict[str, str]]:
    """Objects to change, and the body that would make each kind of them."""
    project = client.good("POST", "projects", json={"name": "kinds", "template": "local"})["id"]
    home = f"projects/{project}"
    eventually(lambda: client.good("GET", home)["creation_status"] == "success")
    client.good("POST", f"{home}/files", files={"job.py": "print()", "a.txt": "a"})
    body = {"name": "kinds", "script": "job.py", "runtime_identifier": runtime}
    job = client.good("POST", f"{home}/jobs", json=body)["id"]
    application = client.good("POST", f"{home}/applications", json={**body, "subdomain": "kinds"})["id"]
    yield {"project_id": project, "job_id": job, "application_id": application, "path": "a.txt", "runtime": runtime}
    client.good("DELETE", home)


@pytest.mark.parametrize(("name", "fields"), _bodies())
def test_a_field_of_a_wrong_kind_breaks_nothing(
    client: Checked, known: dict[str, str], name: str, fields: dict[str, Any]
) -> None:
    method, template, stated = OPERATIONS[name]
    right: dict[str, Any] = {}
    if name in {"CreateJob", "CreateApplication"}:
        right = {"name": "made", "script": "job.py", "runtime_identifier": known["runtime"]}
    told = []
    for field in fields:
        for value in VALUES if name != "CreateJobRun" else VALUES[:3]:
            path = template.format(**known)
            assert operation_of(method, path) == name
            answer = client.session.request(
                method,
                f"{client.endpoint.host}{path}",
                data=json.dumps({**right, field: value}),
                headers={"Content-Type": "application/json"},
                timeout=60,
            )
            documented = "failed to fetch existing runtime for job" in answer.text
            if answer.status_code >= 500 and not documented:
                told.append(f"{field}={value!r}: {answer.status_code}")
                continue
            try:
                shown = json.loads(answer.text, parse_constant=_no_json)
            except ValueError:
                told.append(f"{field}={value!r}: no JSON")
                continue
            assert response_schema(stated, answer.status_code)
            told += [f"{field}={value!r}: {one}" for one in violations(stated, answer.status_code, shown)]
    assert told == []
