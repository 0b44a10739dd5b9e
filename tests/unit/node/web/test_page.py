"""The cluster page: the whole of it for one cluster, and what is done to values that somebody else chose."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.node.web.page import ago, cluster_page
from cai_deploy.node.web.sign_in_page import sign_in_page
from cai_deploy.node.web.web_page import SCRIPT, STYLE

GOLDEN = Path(__file__).parents[2] / "golden" / "cluster_page.html"
GIB = 1024**3


def node(name: str, state: str = "ALIVE", **rest: Any) -> dict[str, Any]:
    share = {"total": 2.0, "used": 1.5}
    return {
        "name": name,
        "address": "10.0.0.1",
        "state": state,
        "is_head": name == "head",
        "idle": True,
        "group": "worker",
        "epoch": "",
        "since": "2026-01-01T11:00:00+00:00",
        "cpu": share,
        "memory": {"total": 2.0 * GIB, "used": 0.5 * GIB},
        "gpu": {"total": 0.0, "used": 0.0},
        **rest,
    }


FACTS: dict[str, Any] = {
    "cluster": "ray",
    "epoch": 3,
    "ray_version": "2.60.0",
    "python_version": "3.11.7",
    "started_at": "2026-01-01T09:00:00+00:00",
    "gcs_address": "10.0.0.1:6379",
    "client_address": "10.0.0.1:10001",
    "token_path": ".cai-deploy/clusters/ray/token",
    "authority_path": "",
    "url": "http://head.example",
    "now": "2026-01-01T12:00:00+00:00",
    "answers": True,
    "nodes": [
        node("head", epoch="7", idle=False),
        node("worker-0", gpu={"total": 4.0, "used": None}),
        node("worker-1", "DEAD", idle=None, cpu={"total": 2.0, "used": None}),
    ],
    "jobs": [
        {
            "id": "raysubmit_1",
            "status": "FAILED",
            "entrypoint": "python train.py --name 'a & b'",
            "exit_code": 3,
            "message": "",
            "started_at": "2026-01-01T11:59:00+00:00",
            "ended_at": None,
        }
    ],
    "events": [
        {"at": "2026-01-01T11:59:59+00:00", "kind": "lost", "node": "worker-1", "text": "worker-1 was lost: <why>"},
        {"at": "2026-01-01T09:00:00+00:00", "kind": "head_moved", "node": "head", "text": "the head moved"},
    ],
    "serve": {"/": "web", "/api/v1": "api"},
}


def body_of(page: str) -> str:
    """Without what all pages share."""
    assert page.count(f"<style>{STYLE}</style>") == 1
    return page.partition("<body>\n")[2].partition("</body>")[0].replace(f"<script>{SCRIPT}</script>\n", "")


def test_the_whole_page() -> None:
    """After a change that is meant: write the new text into tests/unit/golden and read the difference."""
    assert body_of(cluster_page(FACTS, "/leave")) == GOLDEN.read_text(encoding="utf-8")


def evil(value: Any) -> Any:
    """The same facts, with every word that is no time and no state chosen by an enemy."""
    if isinstance(value, dict):
        return {
            key: evil(each) if key not in ("now", "since", "at", "started_at", "ended_at") else each
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [evil(each) for each in value]
    return "\"'><img src=x onerror=alert(1)>" if isinstance(value, str) else value


def test_nothing_gets_out_of_its_place() -> None:
    facts = evil(copy.deepcopy(FACTS))
    facts["serve"] = {evil(""): evil("")}
    page = cluster_page(facts, evil(""))
    assert "<img" not in page
    assert "'><" not in page
    assert "<img" not in sign_in_page(evil(""), evil(""), evil(""), evil(""))


def test_a_cluster_that_has_nothing_yet() -> None:
    empty = FACTS | {"answers": False, "nodes": [], "jobs": [], "events": [], "serve": {}, "token_path": ""}
    page = body_of(cluster_page(empty, ""))
    for told in ("Ray does not answer", "No nodes yet.", "No job has been submitted.", "No application is served."):
        assert told in page
    assert "Sign out" not in page
    assert "RAY_AUTH" not in page


def test_a_session_of_a_cluster_with_tls_gets_a_certificate_first() -> None:
    assert "certified" not in cluster_page(FACTS, "")
    page = cluster_page(FACTS | {"authority_path": ".cai-deploy/clusters/ray/tls/authority.pem"}, "")
    assert "os.environ.update(certified(&quot;ray&quot;))" in page
    assert page.index("certified") < page.index("ray.init(")


def test_every_value_has_a_label_for_narrow_screens() -> None:
    page = cluster_page(FACTS, "")
    assert page.count("<td") == page.count("<td data-label=")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-01-01T12:00:00+00:00", "now"),
        ("2026-01-01T12:00:09+00:00", "now"),
        ("2026-01-01T11:59:59+00:00", "1 s ago"),
        ("2026-01-01T11:58:01+00:00", "119 s ago"),
        ("2026-01-01T11:58:00+00:00", "2 min ago"),
        ("2026-01-01T10:00:00+00:00", "2 h ago"),
        ("2025-12-30T12:00:00+00:00", "2 d ago"),
        ("", "–"),  # noqa: RUF001
    ],
)
def test_how_long_ago(moment: str, words: str) -> None:
    assert ago(moment, datetime(2026, 1, 1, 12, tzinfo=timezone.utc)) == words


def test_a_form_that_was_wrong() -> None:
    assert 'role="alert">Not the token.<' in sign_in_page("ray", "/in", "/next", "Not the token.")
    assert "alert" not in sign_in_page("ray", "/in", "/next")
