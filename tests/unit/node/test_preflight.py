"""What a worker finds out before it starts Ray, against heads of every kind over real sockets."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.node import exchange, preflight
from cai_deploy.node.echo import PATH, CallBacks
from cai_deploy.node.pod import Pod
from cai_deploy.node.ports import PortTaken
from cai_deploy.node.preflight import BytesDropped, PortUnreachable, Preflight, VersionMismatch
from cai_deploy.node.tls import Certificate
from cai_deploy.node.versions import MATCH_LEVEL, Versions
from cai_deploy.node.web.gateway import Gateway, OwnAnswers
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.ways import Ways
from cai_deploy.node_settings import NodeSettings
from tests.unit.node.network import Answer, nothing, refusing_port, server
from tests.unit.node.test_exchange import as_ray_does, over_tls, web_server

SETTINGS = NodeSettings(
    cluster="ray",
    role="worker",
    group="worker",
    environment="ray-1",
    ray_version="2.60.0",
    cpu=1,
    memory_gb=1,
    stop_timeout=0.1,
)
HERE = "127.0.0.1"
TOKEN = "t0ken"


class Worker:
    """A worker in a project with a connection file."""

    def __init__(
        self,
        project: Path,
        settings: NodeSettings = SETTINGS,
        given: str = "",
        certificate: Certificate | None = None,
    ) -> None:
        self.pod = Pod("worker-0", project, HERE, 8100, "", given)
        self.told: list[str] = []
        self._preflight = Preflight(settings, self.pod, self.told.append, certificate)
        self.stop = threading.Event()

    def passes(self, address: str) -> bool:
        return self._preflight.passed(address, self.stop)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PATIENCE", 0.2)
    monkeypatch.setattr(preflight, "POLL", 0.01)
    monkeypatch.setattr(preflight, "LEAVING", 0.1)


def announced(project: Path, gcs: int, agent: int, **changes: Any) -> ConnectionInfo:
    info = ConnectionInfo(
        cluster="ray",
        epoch=1,
        node_address=HERE,
        gcs_address=f"{HERE}:{gcs}",
        client_address="",
        dashboard_address=f"{HERE}:{agent}",
        dashboard_url="",
        ray_version="2.60.0",
        python_version=platform.python_version(),
        started_at="2026-11-21T00:00:00+00:00",
    )
    info = replace(info, **changes)
    connection.write(project / ".cai-deploy/clusters/ray/connection.json", info)
    return info


def serve_agent(port: int, called: Callable[[Any], dict[str, Any]], token: str = "") -> None:
    """The real port of a head's agent, where ``called`` answers who asks to be called back."""
    guard = Guard(token)
    nowhere = "http://127.0.0.1:1"
    Gateway("ray", Ways(nowhere, nowhere, guard), OwnAnswers(done={PATH: called}), guard).serve(port)


@contextlib.contextmanager
def head(project: Path, gcs: Answer = as_ray_does, *, token: str = "", **changes: Any) -> Iterator[str]:
    """A head whose GCS answers so, with the real agent's port in front of it; its GCS's address."""
    agent = refusing_port()
    asked = CallBacks(HERE).ask
    serve_agent(agent, asked, token)
    with server(gcs) as port:
        yield announced(project, port, agent, **changes).gcs_address


def test_a_worker_that_fits_may_join_and_has_nothing_to_say(tmp_path: Path) -> None:
    pinned = replace(SETTINGS, ports={"node_manager": refusing_port()}, pinned_ports=["node_manager"])
    for settings in (SETTINGS, pinned):
        with head(tmp_path) as address:
            worker = Worker(tmp_path, settings)
            assert worker.passes(address)
            assert worker.told == []


def test_it_shows_the_clusters_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with head(tmp_path, token=TOKEN, token_path="token") as address:
        worker = Worker(tmp_path)
        assert worker.passes(address)
        assert worker.told == []
    with head(tmp_path, token="another", token_path="token") as address:
        assert worker.passes(address), "no clear verdict: Ray may try"
        (told,) = worker.told
        assert told.startswith("not checked: whether the head gets through to this node")
        assert "401" in told or "403" in told
        assert TOKEN not in told


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"ray_version": "2.59.0"}, "the head runs Ray 2.59.0 on Python"),
        ({"python_version": "3.9.1"}, "the head runs Ray 2.60.0 on Python 3.9.1"),
    ],
)
def test_another_version_is_an_error_that_names_both_sides(tmp_path: Path, theirs: dict[str, str], said: str) -> None:
    with head(tmp_path, **theirs) as address:
        worker = Worker(tmp_path)
        with pytest.raises(VersionMismatch, match=said) as raised:
            worker.passes(address)
    assert f"this node Ray 2.60.0 on Python {platform.python_version()}" in raised.value.what
    assert raised.value.next_step
    assert worker.told == [raised.value.what], "it is told at once, before a new head is waited for"


def test_tls_on_one_side_alone_is_an_error_that_says_on_which(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path / "authority.pem", "worker-0", HERE)
    try:
        alone = "the head speaks TLS, this node does not"
        with head(tmp_path, authority_path="x") as address, pytest.raises(VersionMismatch, match=alone):
            Worker(tmp_path).passes(address)
        alone = "this node speaks TLS, the head does not"
        with head(tmp_path) as address, pytest.raises(VersionMismatch, match=alone):
            Worker(tmp_path, certificate=certificate).passes(address)
        certificate.found("ray")
        with head(tmp_path, over_tls(certificate, as_ray_does), authority_path="authority.pem") as address:
            worker = Worker(tmp_path, certificate=certificate)
            assert worker.passes(address)
            assert worker.told == [], "bytes come through to its GCS, over TLS"
    finally:
        certificate.remove()


def test_a_head_that_is_replaced_by_one_that_fits_is_waited_out(tmp_path: Path) -> None:
    patient = replace(SETTINGS, stop_timeout=15)
    with head(tmp_path, ray_version="2.59.0") as address, server(as_ray_does) as newer:
        threading.Timer(0.1, partial(announced, tmp_path, newer, refusing_port(), epoch=2)).start()
        assert not Worker(tmp_path, patient).passes(address), "the head is to be looked for again"


@pytest.mark.parametrize(
    ("ours", "theirs", "level", "fits"),
    [
        ("2.60.0 3.11.7", "2.60.0 3.11.7", "", True),
        ("2.60.0 3.11.7", "2.60.0 3.11.2", "", False),
        ("2.60.0 3.11.7", "2.60.0 3.11.2", "minor", True),
        ("2.60.0 3.11.7", "2.60.0 3.12.7", "minor", False),
        ("2.60.0 3.11.7", "2.60.1 3.11.7", "minor", False),
    ],
)
def test_versions_fit_as_ray_says(ours: str, theirs: str, level: str, fits: bool) -> None:
    assert Versions(*ours.split()).may_join(Versions(*theirs.split()), {MATCH_LEVEL: level}) is fits


def test_a_head_that_accepts_and_drops_is_behind_a_mesh(tmp_path: Path) -> None:
    with head(tmp_path, nothing) as address:
        worker = Worker(tmp_path)
        with pytest.raises(BytesDropped, match="accepts connections, but no bytes come through") as raised:
            worker.passes(address)
    assert "Istio STRICT" in raised.value.why
    assert "doctor --mesh-manifest" in raised.value.next_step
    assert len(worker.told) == preflight.ATTEMPTS


def test_a_stale_file_that_leads_to_somebody_who_is_silent_is_no_mesh(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    with head(tmp_path, nothing) as address:
        threading.Timer(0.1, lambda: announced(tmp_path, 1, 2, epoch=2)).start()
        assert not worker.passes(address), "the head is somewhere else by now: it is to be looked for again"


def test_a_head_that_answers_late_is_no_mesh(tmp_path: Path) -> None:
    calls: list[int] = []

    def slow_at_first(connection: socket.socket) -> None:
        calls.append(1)
        if len(calls) > 2:  # the first is silent, the next only asks whether anybody listens
            as_ray_does(connection)

    with head(tmp_path, slow_at_first) as address:
        assert Worker(tmp_path).passes(address)


def test_what_is_not_certain_does_not_keep_a_worker_away(tmp_path: Path) -> None:
    with head(tmp_path, web_server) as address:
        worker = Worker(tmp_path)
        assert worker.passes(address)
        assert "something else answered" in worker.told[0]


def test_a_head_that_went_away_is_looked_for_again(tmp_path: Path) -> None:
    with head(tmp_path) as address:
        pass
    assert not Worker(tmp_path).passes(address)
    with head(tmp_path):
        assert not Worker(tmp_path).passes(address), "another head has announced itself"


def test_a_head_without_an_agent_that_calls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai_deploy.node.callback.GATEWAY_PATIENCE", 0.1)
    with head(tmp_path) as address, server(web_server) as old:
        for agent in (refusing_port(), old):
            announced(tmp_path, int(address.rpartition(":")[2]), agent)
            worker = Worker(tmp_path)
            assert worker.passes(address)
            assert [line.partition("(")[0] for line in worker.told] == [
                "not checked: whether the head gets through to this node "
            ]


def test_a_head_that_was_given_by_hand_is_not_asked(tmp_path: Path) -> None:
    worker = Worker(tmp_path, given=f"{HERE}:{refusing_port()}")
    assert worker.passes(worker.pod.head_address)
    assert worker.told == []


def judged(project: Path, verdict: str, *, pinned: bool) -> Worker:
    """A worker whose head says so of its ports."""
    settings = SETTINGS
    if pinned:
        settings = replace(SETTINGS, ports={"object_manager": refusing_port()}, pinned_ports=["object_manager"])
    agent = refusing_port()

    def say(body: Any) -> dict[str, Any]:
        return {"ports": {str(port): verdict for port in body["ports"]}}

    serve_agent(agent, say)
    with server(as_ray_does) as gcs:
        worker = Worker(project, settings)
        assert worker.passes(announced(project, gcs, agent).gcs_address)
    return worker


@pytest.mark.parametrize("pinned", [True, False])
def test_a_head_that_is_accepted_and_dropped(tmp_path: Path, pinned: bool) -> None:
    with pytest.raises(BytesDropped, match=r"the head is accepted at port .* but no bytes come through"):
        judged(tmp_path, exchange.Verdict.SILENT.value, pinned=pinned)


@pytest.mark.parametrize("verdict", ["refused", "no route, or no answer in time"])
def test_a_pinned_port_that_the_head_does_not_reach(tmp_path: Path, verdict: str) -> None:
    with pytest.raises(PortUnreachable, match=rf"port \d+ \(object_manager\) of this node at 127.0.0.1: {verdict}"):
        judged(tmp_path, verdict, pinned=True)
    (told,) = judged(tmp_path, verdict, pinned=False).told
    assert told.endswith(verdict)


@pytest.mark.parametrize("verdict", ["fine, thanks", ""])
def test_an_answer_that_is_none(tmp_path: Path, verdict: str) -> None:
    (told,) = judged(tmp_path, verdict, pinned=True).told
    assert told.startswith("not checked")


def test_a_pinned_port_that_is_held_names_who_holds_it(tmp_path: Path) -> None:
    with socket.create_server((HERE, 0)) as holder:
        port = holder.getsockname()[1]
        held = replace(SETTINGS, ports={"node_manager": port}, pinned_ports=["node_manager"])
        with pytest.raises(
            PortTaken, match=rf"port {port} \(node_manager\) is held by another program: .*{os.getpid()}"
        ):
            Worker(tmp_path, held, given="head:1").passes("head:1")
