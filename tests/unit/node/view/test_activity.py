"""What counts as work, and since when there is none: against a GCS and metrics that say what Ray 2.60 said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from cai_deploy.node.gcs import Actor, Driver, RayNode
from cai_deploy.node.view.activity import Activity
from cai_deploy.node.view.serve_traffic import ServeTraffic
from tests.unit.node.fake_gcs import FakeGcs

HEAD = RayNode(b"h", "head", "ALIVE", "IDLE", "10.0.0.1", is_head=True, metrics_port=1)
WORKER = RayNode(b"w", "worker-0", "ALIVE", "IDLE", "10.0.0.2", metrics_port=2)
PROXY = Actor("ProxyActor", "SERVE_PROXY_ACTOR-1", "serve", b"h", "ab12")
REPLICA = Actor("ServeReplica:app:App", "SERVE_REPLICA::app#App#x", "serve", b"w", "cd34")


def answered(count: float, process: str = "ab12", route: str = "/") -> str:
    labels = f'Component="core_worker",WorkerId="{process}",application="app",route="{route}",status_code="200"'
    return f"ray_serve_num_http_requests_total{{{labels}}} {count:.1f}\n"


def under_way(count: float, process: str = "ab12") -> str:
    return f'ray_serve_num_ongoing_http_requests{{Component="core_worker",WorkerId="{process}"}} {count:.1f}\n'


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def active(node: RayNode, word: str = "ACTIVE") -> RayNode:
    return RayNode(node.id, node.name, node.state, word, node.address, node.is_head)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda gcs: None, []),
        (lambda gcs: gcs.submitted.update(a="SUCCEEDED", b="FAILED", c="STOPPED"), []),
        (lambda gcs: gcs.submitted.update(a="PENDING"), ["job a is pending"]),
        (lambda gcs: gcs.submitted.update(a="RUNNING"), ["job a is running"]),
        (lambda gcs: gcs.submitted.update(a=""), ["job a is in an unknown state"]),
        (lambda gcs: gcs.connected.append(Driver("03", "_ray_internal_dashboard")), []),
        (lambda gcs: gcs.connected.append(Driver("01", "mine")), ["driver 01 is connected"]),
        (lambda gcs: gcs.connected.append(Driver("01", "", "a")), ["driver 01 is connected for job a"]),
        (lambda gcs: gcs.living.append(Actor("Counter", "c", "mine", b"w")), ["actor Counter (c) lives"]),
        (lambda gcs: gcs.living.append(Actor("Counter", "", "mine")), ["actor Counter lives"]),
        (lambda gcs: gcs.living.append(Actor("_StatsActor", "s", "_dataset_stats_actor", b"w")), []),
        (lambda gcs: gcs.living.append(Actor("JobSupervisor", "j", "SUPERVISOR_ACTOR_RAY_NAMESPACE", b"h")), []),
        (lambda gcs: gcs.living.extend([PROXY, REPLICA]), []),
        (lambda gcs: setattr(gcs, "unplaced", 2), ["2 tasks or actors wait for resources"]),
        (lambda gcs: setattr(gcs, "listed", [HEAD, active(WORKER)]), ["node worker-0 is active"]),
        (lambda gcs: setattr(gcs, "listed", [HEAD, active(WORKER, "")]), ["node worker-0 is in an unknown state"]),
        (lambda gcs: setattr(gcs, "listed", [HEAD, RayNode(b"w", "worker-0", "DEAD", "ACTIVE")]), []),
        (lambda gcs: setattr(gcs, "away", True), ["it cannot be seen what the cluster does: GcsAway: no GCS listens"]),
    ],
)
def test_what_counts_as_work(change: Callable[[FakeGcs], object], told: list[str]) -> None:
    gcs, time = FakeGcs(HEAD, WORKER), Time()
    change(gcs)
    answer = Activity(gcs, ServeTraffic(lambda node: ""), time).describe()
    assert answer["busy"] == told
    assert answer["idle_since"] == (None if told else "2026-11-21T12:00:00+00:00")
    assert answer["now"] == "2026-11-21T12:00:00+00:00"


def test_a_node_that_serve_keeps_active_is_idle_as_long_as_nobody_asks() -> None:
    gcs = FakeGcs(active(HEAD), active(WORKER))
    gcs.living = [PROXY, REPLICA]
    assert Activity(gcs, ServeTraffic(lambda node: "")).describe()["busy"] == []


def test_idle_since_is_the_first_look_that_found_nothing_and_goes_with_the_next_work() -> None:
    gcs, time = FakeGcs(HEAD), Time()
    activity = Activity(gcs, ServeTraffic(lambda node: ""), time)
    first = activity.describe()["idle_since"]
    time.passes(60)
    assert activity.describe()["idle_since"] == first
    gcs.submitted["a"] = "RUNNING"
    assert activity.describe()["idle_since"] is None
    gcs.submitted["a"] = "SUCCEEDED"
    time.passes(60)
    assert activity.describe()["idle_since"] == "2026-11-21T12:02:00+00:00"


def test_a_look_that_fails_ends_an_idle_time() -> None:
    gcs, time = FakeGcs(HEAD), Time()
    activity = Activity(gcs, ServeTraffic(lambda node: ""), time)
    activity.describe()
    gcs.away = True
    assert activity.describe()["idle_since"] is None


class Metrics:
    """The metrics of nodes by name."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.read: list[str] = []

    def __call__(self, node: RayNode) -> str:
        self.read.append(node.name)
        if node.name not in self.texts:
            raise OSError("connection refused")
        return self.texts[node.name]


def test_what_serve_answered_since_the_last_look() -> None:
    metrics = Metrics(head=answered(5) + answered(100, route="/-/healthz"))
    traffic = ServeTraffic(metrics)
    assert traffic.look([HEAD, WORKER], [PROXY]) == [], "what was before the first look is not known to be new"
    assert metrics.read == ["head"], "a node without a proxy is not asked"
    assert traffic.look([HEAD], [PROXY]) == []
    metrics.texts["head"] = answered(7) + answered(200, route="/-/healthz")
    assert traffic.look([HEAD], [PROXY]) == ["Serve answered 2 requests"]
    metrics.texts["head"] = answered(3, "ef56")
    assert traffic.look([HEAD], [Actor("ProxyActor", "p", "serve", b"h", "ef56")]) == ["Serve answered 3 requests"]


def test_a_request_goes_on_until_its_proxy_says_otherwise_or_is_gone() -> None:
    metrics = Metrics(head=under_way(1))
    traffic = ServeTraffic(metrics)
    busy = ["Serve is answering 1 requests"]
    assert traffic.look([HEAD], [PROXY]) == busy
    metrics.texts["head"] = ""  # the gauge vanishes while the request goes on
    assert traffic.look([HEAD], [PROXY]) == busy
    metrics.texts["head"] = under_way(0)
    assert traffic.look([HEAD], [PROXY]) == []
    metrics.texts["head"] = under_way(2)
    traffic.look([HEAD], [PROXY])
    metrics.texts["head"] = ""
    assert traffic.look([HEAD], []) == []


def test_a_node_with_a_proxy_that_does_not_tell_is_a_look_that_failed() -> None:
    gcs = FakeGcs(HEAD)
    gcs.living = [PROXY]
    answer = Activity(gcs, ServeTraffic(Metrics())).describe()
    assert answer["busy"] == ["it cannot be seen what the cluster does: OSError: connection refused"]


def test_without_serve_nothing_is_read() -> None:
    metrics = Metrics()
    assert ServeTraffic(metrics).look([HEAD, WORKER], []) == []
    assert metrics.read == []
