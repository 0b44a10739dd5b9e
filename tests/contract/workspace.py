"""A running workspace for these tests, and a client that holds every answer against the contract.

The client knows the workspace by its address alone; what it expects comes from the yaml, read here on its own, so that
the reader under test cannot hide its own mistakes.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests
import yaml
from jsonschema import Draft202012Validator, FormatChecker

import cai_deploy.local_workspace
from cai_deploy.local_workspace import process
from tests import polling

DOCUMENT = yaml.safe_load(
    (Path(cai_deploy.local_workspace.__file__).parent / "contract" / "cml-api-v2.yaml").read_text(encoding="utf-8")
)
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    stated["operationId"]: (method, path, stated)
    for path, item in DOCUMENT["paths"].items()
    for method, stated in item.items()
    if method in METHODS
}
RUN_ENDS = {"ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_STOPPED", "ENGINE_TIMEDOUT", "ENGINE_SKIPPED"}


@contextlib.contextmanager
def running(home: Path, **environment: str) -> Iterator[process.Endpoint]:
    """A workspace of its own; stopped, with all that runs in it, at the end."""
    # Not by the variables of this process: one workspace lives for the whole run, and other tests have others.
    variables = {"CAI_DEPLOY_POD_MODE": "loopback", "CAI_DEPLOY_STOP_GRACE": "0.5", **environment}
    try:
        yield process.start(at=home / "workspace", variables=variables)
    finally:
        process.stop(at=home / "workspace")


eventually = partial(polling.eventually, seconds=30.0)
"""The same wait as everywhere, with the time that clones and builds take."""


def response_schema(stated: dict[str, Any], status: int) -> dict[str, Any] | None:
    """The JSON schema of an answer; None where the contract states none."""
    answer = stated["responses"].get(str(status), stated["responses"]["default"])
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return answer.get("content", {}).get("application/json", {}).get("schema")


def _strict(schema: Any) -> Any:
    """As OpenAPI 3.0 means it, for a validator of JSON Schema, with what the contract says beside its schemas.

    A time that is not set is null (cml-behaviour, section 2), and an int64 is a decimal string; of those only the size
    of a directory may be missing.
    """
    if isinstance(schema, list):
        return [_strict(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(inner) for name, inner in schema.items() if name not in {"default", "example"}}
    if made.get("type") == "string" and made.get("format") == "date-time":
        made["type"] = ["string", "null"]
    if made.get("type") == "string" and made.get("format") == "int64":
        made["pattern"] = "^-?[0-9]+$"
    return made


_SCHEMAS = _strict(DOCUMENT["components"]["schemas"])
_SCHEMAS["FileInfo"]["properties"]["file_size"]["pattern"] = "^[0-9]*$"


def violations(stated: dict[str, Any], status: int, body: Any) -> list[str]:
    """Where an answer's body differs from its schema."""
    schema = response_schema(stated, status)
    if schema is None:
        return []
    whole = {**_strict(schema), "components": {"schemas": _SCHEMAS}}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]


def missing_fields(schema: dict[str, Any], value: Any, where: str = "$") -> list[str]:
    """Fields that the schema names and the value lacks, at any depth; and fields that no schema names."""
    if "allOf" in schema:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [told for item in value for told in missing_fields(schema["items"], item, f"{where}[]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    told = [f"{where}.{name} is missing" for name in known if name not in value]
    told += [f"{where}.{name} is not in the contract" for name in value if name not in known]
    for name, inner in value.items():
        if name in known:
            told += missing_fields(known[name], inner, f"{where}.{name}")
    return told


def operation_of(method: str, raw_path: str) -> str:
    """Which operation a request means; the template with the fewest gaps and the most text wins."""
    fitting = [
        (-path.count("{"), len(path), name)
        for name, (verb, path, _) in OPERATIONS.items()
        if verb == method.lower() and re.fullmatch(_pattern(path), raw_path)
    ]
    return max(fitting)[-1] if fitting else ""


def _pattern(path: str) -> str:
    escaped = re.escape(path).replace(r"\{path\}", ".*")
    return re.sub(r"\\\{\w+\\\}", "[^/]+", escaped)


@dataclass
class Checked:
    """A client that notes, for each operation, the statuses that it saw and all that was wrong with the answers."""

    endpoint: process.Endpoint
    seen: dict[str, list[int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self.endpoint.api_key}"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request below ``/api/v2/`` and hold the answer against the contract."""
        answer = self.session.request(method, f"{self.endpoint.host}/api/v2/{path}", timeout=60, **options)
        self.check(operation_of(method, f"/api/v2/{path.partition('?')[0]}"), answer)
        return answer

    def check(self, name: str, answer: requests.Response) -> None:
        """Hold an answer against what the contract says of its operation."""
        assert name, f"{answer.request.method} {answer.request.url} is no operation of the contract"
        _, _, stated = OPERATIONS[name]
        self.seen.setdefault(name, []).append(answer.status_code)
        schema = response_schema(stated, answer.status_code)
        if schema is None:
            return
        try:
            body = json.loads(answer.text)
        except ValueError:
            told = [f"no JSON: {answer.text[:100]!r}"]
        else:
            told = violations(stated, answer.status_code, body) + missing_fields(schema, body)
        self.wrong += [f"{name} {answer.status_code} {one}" for one in told]

    def good(self, method: str, path: str, **options: Any) -> Any:
        """The answer's JSON; an assertion for anything but a 200."""
        answer = self.send(method, path, **options)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else answer
