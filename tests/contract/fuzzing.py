"""Thousands of requests that the contract allows, or just does not, made by schemathesis and bounded by count and time.

Half of them are aimed at objects that exist, so that they get past the first 404.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.contract.workspace import (
    DOCUMENT,
    OPERATIONS,
    Checked,
    eventually,
    missing_fields,
    operation_of,
    response_schema,
    violations,
)

# Each of these starts a process; a few hundred of them would measure this machine, not the workspace.
STARTS_PROCESSES = {"CreateJobRun", "RestartApplication", "CreateApplication", "CreateProject"}
CREATES = {"CreateProject", "CreateJob", "CreateApplication"}
RARELY_RIGHT = {"schedule", "timezone", "parent_id", "parent_job_id", "kernel", "template", "attachments", "git_ref"}
RARELY_RIGHT |= {"parent_project", "visibility", "default_project_engine_type", "organization_permission"}
ASKED_FOR = {("UpdateJob", 500, "failed to fetch existing runtime for job")}
PATHS = [
    "a.txt",
    "dir/b.txt",
    "dir",
    ".",
    "",
    "../../../../escaped",
    "/escaped",
    "dir/../../escaped",
    "x/y/z",
    "a\0b",
    "é",
]
NOTHING = st.just({})


@dataclass
class Fuzz:
    """One run against one workspace."""

    client: Checked
    seed: int
    requests: int
    seconds: float
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)  # what was carried out, and not only refused
    wrong: Counter[str] = field(default_factory=Counter)
    known: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Go through all operations again and again, until either bound."""
        schema = schemathesis.openapi.from_dict(DOCUMENT)
        operations = [operation.ok() for operation in schema.get_all_operations()]
        until = time.monotonic() + self.seconds
        for turn in self._turns(until):
            for operation in operations:
                name = operation.definition.raw["operationId"]
                if time.monotonic() > until or sum(self.sent.values()) >= self.requests:
                    return
                self._stand_up()
                mode = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[turn % 2]
                self._some(name, operation, mode, seed=self.seed + turn)

    def _turns(self, until: float) -> Iterator[int]:
        turn = 0
        while time.monotonic() < until and sum(self.sent.values()) < self.requests:
            yield turn
            turn += 1

    def _some(self, name: str, operation: Any, mode: GenerationMode, *, seed: int) -> None:
        try:
            cases = operation.as_strategy(generation_mode=mode)
        except Exception:  # noqa: BLE001 - an operation without anything to get wrong has no negative cases
            cases = operation.as_strategy()

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=4 if name in STARTS_PROCESSES else 25,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=cases, aimed=st.booleans(), path=st.sampled_from(PATHS))
        def send(case: Case, aimed: bool, path: str) -> None:
            self._send(name, case, aimed=aimed, path=path)

        try:
            send()
        except hypothesis.errors.Unsatisfiable:  # nothing to negate in this operation
            self._some(name, operation, GenerationMode.POSITIVE, seed=seed)

    def _send(self, name: str, case: Case, *, aimed: bool, path: str) -> None:
        if aimed:
            for parameter in set(case.path_parameters or {}) & {*self.known, "path"}:
                case.path_parameters[parameter] = path if parameter == "path" else self.known[parameter]
            if isinstance(case.body, dict) and name in CREATES:
                case.body = {key: value for key, value in case.body.items() if key not in RARELY_RIGHT}
                case.body |= {"name": f"made {len(path)}", "script": "job.py", "subdomain": f"s{self.sent.total()}"}
                case.body["runtime_identifier"] = self.known["runtime"]
            if isinstance(case.body, dict) and name == "UpdateProjectFileMetadata":
                case.body |= {"path": f"{path}.moved"}
        self.sent[name] += 1
        try:
            prepared = requests.Request(**case.as_transport_kwargs(base_url=self.client.endpoint.host)).prepare()
        except (requests.RequestException, ValueError, UnicodeError):
            self.sent[name] -= 1  # cannot be written as HTTP: it never left
            return
        prepared.headers["Authorization"] = self.client.session.headers["Authorization"]
        try:
            answer = self.client.session.send(prepared, timeout=60, allow_redirects=False)
        except (requests.RequestException, ValueError) as error:
            self.wrong[f"{name}: no answer ({type(error).__name__}: {str(error)[:120]}) {_told(prepared)}"] += 1
            return
        self.statuses[answer.status_code] += 1
        self.done[name] += answer.status_code == 200
        for told in self.judge(name, answer):
            self.wrong[f"{name} {answer.status_code} {told} {_told(prepared)}"] += 1

    def judge(self, name: str, answer: requests.Response) -> list[str]:
        """What is wrong with an answer."""
        try:
            body = json.loads(answer.text)
        except ValueError:
            body = None
        message = body.get("message", "") if isinstance(body, dict) else ""
        if answer.status_code >= 500 and (name, answer.status_code, message) not in ASKED_FOR:
            return [f"a server error: {answer.text[:200]!r}"]
        asked = operation_of(str(answer.request.method), str(answer.request.path_url).partition("?")[0]) or name
        stated = OPERATIONS[asked][2]
        schema = response_schema(stated, answer.status_code)
        if schema is None:
            return []
        if body is None:
            return [f"no JSON: {answer.text[:100]!r}"]
        return violations(stated, answer.status_code, body) + missing_fields(schema, body)

    def _stand_up(self) -> None:
        """Make what the aimed requests need, where an earlier one has taken it away."""
        get = self.client.session.get
        base = f"{self.client.endpoint.host}/api/v2/projects"
        if self.known:
            home = f"{base}/{self.known['project_id']}"
            parts = (home, f"{home}/jobs/{self.known['job_id']}", f"{home}/applications/{self.known['application_id']}")
            if all(get(part, timeout=30).status_code == 200 for part in parts):
                if get(f"{home}/files/a.txt", timeout=30).status_code == 404:
                    self.client.session.post(f"{home}/files", files={"a.txt": "a"}, timeout=30)
                return
        client = Checked(self.client.endpoint)
        runtime = client.good("GET", "runtimes")["runtimes"][0]["image_identifier"]
        project = client.good("POST", "projects", json={"name": "fuzzed", "template": "local"})["id"]
        home = f"projects/{project}"
        eventually(lambda: client.good("GET", home)["creation_status"] != "creating")
        client.good("POST", f"{home}/files", files={"job.py": "print()", "a.txt": "a", "dir/b.txt": "b"})
        body = {"name": "fuzzed", "script": "job.py", "runtime_identifier": runtime}
        job = client.good("POST", f"{home}/jobs", json=body)["id"]
        run = client.good("POST", f"{home}/jobs/{job}/runs")["id"]
        label = f"fuzzed-{project}"
        application = client.good("POST", f"{home}/applications", json={**body, "subdomain": label})["id"]
        self.known = {"project_id": project, "job_id": job, "run_id": run, "application_id": application}
        self.known["runtime"] = runtime


def _told(request: requests.PreparedRequest) -> str:
    """The request, short enough for a report and long enough to send it again."""
    body = request.body if isinstance(request.body, str) else (request.body or b"").decode(errors="replace")
    return f"<- {request.method} {request.path_url[:200]} {body[:200]}"
