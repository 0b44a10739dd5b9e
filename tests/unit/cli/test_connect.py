"""``connect`` and ``watch`` and ``logs`` as a person meets them, with a workspace and a head that are played."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cai_deploy.access import Access
from cai_deploy.cli import connect as connect_verb
from cai_deploy.cli import log_following, tunnelling
from cai_deploy.cli import logs as logs_verb
from cai_deploy.cli import watch as watch_verb
from cai_deploy.cli.watch_page import ago, changes, page, share
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.overview import Event, Member, Overview, Share, parse
from cai_deploy.places.base import HeadSilent, NoHead
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Home, Node, NodeState, Observation
from cai_deploy.tunnel.ports import Wish
from tests.unit.test_logs import NOW, Written
from tests.unit.test_overview import TOLD

TOKEN, KEY = "t0ken" * 8, "k3y" * 8
ACCESS = Access("http://127.0.0.1:1", {"Authorization": f"Bearer {KEY}", "X-Ray-Authorization": f"Bearer {TOKEN}"})
INFO = ConnectionInfo(
    "ray", 2, "10.0.0.2", "10.0.0.2:6379", "10.0.0.2:10001", "10.0.0.2:8100", "https://ray-head.example.com", "2.60.0",
    "3.11.7", "2026-11-21T11:00:00+00:00", token_path=".cai-deploy/clusters/ray/token",
)  # fmt: skip


@dataclass
class Place:
    """A place with one cluster, or with none."""

    connection: ConnectionInfo | None = INFO
    logs_there: Written = field(default_factory=Written)
    nodes: tuple[Node, ...] = ()
    home: Home = field(default_factory=Home)

    def observe_cluster(self, spec: ClusterSpec) -> Observation:
        return Observation(connection=self.connection, nodes=self.nodes, home=self.home)

    def logs(self, spec: ClusterSpec) -> Written:
        return self.logs_there


@dataclass
class Opened:
    """A session as far as these verbs need it."""

    place: Place = field(default_factory=Place)
    configured: ClusterSpec = field(default_factory=ClusterSpec)
    reachable: DeployError | None = None

    def access(self) -> Access:
        if self.reachable:
            raise self.reachable
        return ACCESS

    def spec_in_force(self) -> ClusterSpec:
        return ClusterSpec().scaled(1)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened()
    for verb in (connect_verb, logs_verb, watch_verb):
        monkeypatch.setattr(verb, "open_session", lambda config: opened)
    return opened


def connect(*arguments: str) -> Result:
    return CliRunner().invoke(connect_verb.command, arguments)


def no_secret(text: str) -> bool:
    return TOKEN not in text and KEY not in text


def test_every_way_is_told_without_a_secret(session: Opened) -> None:
    told = connect()
    assert told.exit_code == 0
    assert no_secret(told.output)
    for part in (
        "https://ray-head.example.com",
        "ray://10.0.0.2:10001",
        "connect --shell",
        "connect --tunnel",
        "ray.init()",
    ):
        assert part in told.output
    document = json.loads(connect("--json").stdout)
    assert no_secret(str(document))
    assert document["client_url"] == "ray://10.0.0.2:10001"
    assert document["in_the_project"]["RAY_AUTH_TOKEN_PATH"] == "~/.cai-deploy/clusters/ray/token"


def test_paths_are_those_of_the_place(session: Opened) -> None:
    assert (
        "in the project RAY_ADDRESS=ray://10.0.0.2:10001 RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/."
        in connect().stdout
    )
    session.place.home = Home("/srv/my cluster", "on gpu1")
    told = connect().stdout
    assert "on gpu1        RAY_ADDRESS=ray://10.0.0.2:10001" in told
    assert "RAY_AUTH_TOKEN_PATH='/srv/my cluster/.cai-deploy/clusters/ray/token'" in told
    assert "In a notebook on gpu1:" in told
    assert 'os.environ["RAY_AUTH_TOKEN_PATH"] = "/srv/my cluster/.cai-deploy/clusters/ray/token"' in told
    assert "~" not in told


def test_with_tls_a_certificate_comes_first(session: Opened) -> None:
    session.place.connection = replace(INFO, authority_path=".cai-deploy/clusters/ray/tls/authority.pem")
    told = connect().stdout
    assert 'eval "$(python -m cai_deploy.node.tls ray)"' in told
    assert told.index('os.environ.update(certified("ray"))') < told.index("ray.init()")
    assert "connect --tunnel" not in told
    assert "in the project alone" in told


def test_a_shell_is_told_all(session: Opened) -> None:
    lines = connect("--shell").stdout.splitlines()
    assert [line.split("=")[0] for line in lines] == [
        "export RAY_ADDRESS",
        "export RAY_API_SERVER_ADDRESS",
        "export RAY_JOB_HEADERS",
    ]
    assert TOKEN in lines[2]


def test_a_terminal_is_told_no_secret(session: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(ConfigError, match="this is a terminal"):
        connect_verb.check(for_shell=True, tunnel=False, ports=(None, None), as_json=False)


class Terminal:
    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    "words", [("--shell", "--tunnel"), ("--shell", "--json"), ("--port", "1"), ("--dashboard-port", "1")]
)
def test_options_that_do_not_go_together(session: Opened, words: tuple[str, ...]) -> None:
    assert isinstance(connect(*words).exception, ConfigError)


def test_no_cluster_no_way(session: Opened) -> None:
    session.place.connection = None
    session.reachable = NoHead("there is no cluster ray here")
    for words in ((), ("--shell",), ("--tunnel",)):
        ran = connect(*words)
        assert isinstance(ran.exception, NoHead)
        assert ran.stdout == ""


def test_a_head_with_an_inline_command_says_nothing_of_itself(session: Opened) -> None:
    session.place.connection = None
    error = connect().exception
    assert isinstance(error, DeployError)
    assert "inline" in error.what


def test_a_tunnel_keeps_the_token_for_this_user_while_it_is_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found: list[tuple[str, int, int]] = []

    def look() -> None:
        file = next(tmp_path.glob("*/token"))
        found.append((file.read_text(), stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(tunnelling, "_tell", lambda *told, **how: threading.Timer(0.05, look).start())
    tunnelling.hold_open(ACCESS, Wish(), as_json=False)
    assert found == [(TOKEN, 0o600, 0o700)]
    assert list(tmp_path.iterdir()) == []
    assert "the tunnel is closed" in capsys.readouterr().err


def test_a_cluster_without_a_token_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with tunnelling.token_file(Access("http://127.0.0.1:1", {})) as path:
        assert path == ""
        assert list(tmp_path.iterdir()) == []


# logs


def logs(*arguments: str) -> Result:
    return CliRunner().invoke(logs_verb.command, arguments)


def test_logs_of_those_that_are_wanted_and_of_those_that_are_gone(session: Opened) -> None:
    session.place.logs_there = Written({"head.log": "a\nb\n", "worker-7.log": "c\n"})
    assert logs().stdout == "==> head <==\na\nb\n==> worker-0 <==\n(nothing was written by worker-0)\n"
    assert logs("all").stdout.endswith("==> worker-7 <==\nc\n")
    assert logs("worker-7").stdout == "c\n"
    assert logs("head", "--tail", "1").stdout == "b\n"


def test_logs_by_role(session: Opened) -> None:
    session.place.logs_there = Written({"head.log": "a\n", "worker-3.log": "b\n", "worker-7.log": "c\n"})
    assert logs("workers").stdout == "(nothing was written by worker-0)\n", "nodes that are yet to come"
    session.place.nodes = tuple(
        Node(name, "worker", "worker", NodeState.RUNNING, name, "") for name in ("worker-3", "worker-4")
    )
    both = "==> worker-3 <==\nb\n==> worker-4 <==\n(nothing was written by worker-4)\n"
    assert logs("workers").stdout == both, "as they are called, whatever the specification would call them"
    assert logs("workers", "head", "worker-3").stdout == f"{both}==> head <==\na\n"
    session.place.logs_there.kept = True
    assert logs("workers").stdout == "==> worker-3 <==\nb\n==> worker-7 <==\nc\n"


def test_logs_since_a_time(session: Opened) -> None:
    session.place.logs_there = Written({"head.log": "2026-11-21T11:00:00Z a\n2026-11-21T11:55:00Z b\n"})
    assert logs("head", "--since", "10m").stdout == "2026-11-21T11:55:00Z b\n"
    assert logs("head", "--since", "1m").stdout == "(nothing was written by head since then)\n"
    assert isinstance(logs("head", "--since", "soon").exception, ConfigError)


def test_logs_of_ray(session: Opened) -> None:
    session.place.logs_there = Written({"head.ray.log": "--- raylet.out\n\nx\ny\n"})
    assert logs("head", "--ray").stdout == "--- raylet.out\nx\ny\n"
    assert logs("head", "--ray", "--tail", "1").stdout == "y\n"


def test_logs_of_a_cluster_that_is_gone(session: Opened) -> None:
    session.place.logs_there = Written({"worker-3.log": "the last\n"}, kept=True)
    ran = logs("--follow")
    assert ran.stdout == "the last\n"
    assert "this is what it wrote last" in ran.stderr
    assert "nothing more will come" in ran.stderr


def test_following_tells_lines_and_what_befalls_nodes_until_somebody_ends_it(
    session: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = session.place.logs_there = Written({"head.log": "a\n"})
    joined = Event("2026-11-21T12:00:00+00:00", "joined", "worker-1", "worker-1 joined at 10.0.0.4")
    views = iter([parse(TOLD), replace(parse(TOLD), events=(joined, *parse(TOLD).events))])
    heads = monkeypatch.setattr(log_following, "Head", lambda access: Told(views))
    assert heads is None
    looks = iter([("head.log", "a\nb\n"), ("worker-1.log", "hello\n"), ("head.log", "a\nb\nc\n")])

    def pass_time(seconds: float) -> None:
        try:
            name, text = next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None
        there.texts[name] = text

    monkeypatch.setattr(log_following, "NODES_EVERY", 0.0)
    monkeypatch.setattr("cai_deploy.cli.log_following.time.sleep", pass_time)
    ran = logs("--follow")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[-3:] == [
        "head         | b",
        "worker-1     | hello",
        "head         | c",
    ]
    assert ran.stderr == "2026-11-21T12:00:00+00:00  worker-1 joined at 10.0.0.4\n"


@dataclass
class Told:
    """A head that tells the next overview, and then is silent."""

    views: Iterator[Overview]

    def overview(self) -> Overview:
        try:
            return next(self.views)
        except StopIteration:
            raise HeadSilent("the head does not answer", why="it is gone") from None


# watch

SEEN = parse(TOLD)


def test_watching_once(session: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_verb, "Head", lambda access: Told(iter([SEEN])))
    shown = CliRunner().invoke(watch_verb.command, ["--once"]).stdout
    assert "1 of 1 nodes ALIVE" in shown
    assert "raysubmit_1" in shown
    assert "worker-0 joined" in shown
    monkeypatch.setattr(watch_verb, "Head", lambda access: Told(iter([SEEN])))
    assert json.loads(CliRunner().invoke(watch_verb.command, ["--once", "--json"]).stdout) == TOLD


@pytest.mark.parametrize("as_json", [False, True])
def test_watching_tells_each_change_once(session: Opened, monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    later = parse({**TOLD, "now": "2026-11-21T12:00:02+00:00"})
    done = parse({**later.document, "jobs": [{"id": "raysubmit_1", "status": "SUCCEEDED"}]})
    views: list[Overview | None] = [SEEN, later, done, None, None, done]
    monkeypatch.setattr(watch_verb, "Head", lambda access: Played(views))
    monkeypatch.setattr("cai_deploy.cli.watch.time.sleep", lambda seconds: None)
    ran = CliRunner().invoke(watch_verb.command, ["--json"] if as_json else [])
    assert ran.exit_code == 0
    if as_json:
        assert [json.loads(line)["jobs"][0]["status"] for line in ran.stdout.splitlines()] == ["RUNNING", "SUCCEEDED"]
    else:
        assert ran.stdout.splitlines()[-1] == "2026-11-21T12:00:02+00:00  job raysubmit_1 is SUCCEEDED"
    assert ran.stderr.splitlines()[:2] == [
        "the head does not answer (it is gone); looking again",
        "the head answers again",
    ]


@dataclass
class Played:
    """A head that tells one view after the other, None for silence, and in the end somebody presses Ctrl-C."""

    views: list[Overview | None]

    def overview(self) -> Overview:
        if not self.views:
            raise KeyboardInterrupt
        view = self.views.pop(0)
        if view is None:
            raise HeadSilent("the head does not answer", why="it is gone")
        return view


def test_what_changed_between_two_looks() -> None:
    before = Overview("ray", True, nodes=(Member("head", "ALIVE"), Member("worker-0", "ALIVE")), now="t0")
    lost = Event("t1", "lost", "worker-0", "worker-0 was lost")
    after = replace(before, nodes=(Member("head", "ALIVE"), Member("worker-0", "DEAD")), events=(lost,), now="t2")
    assert changes(before, after) == ["t1  worker-0 was lost", "t2  worker-0 is DEAD, it was ALIVE"]
    assert changes(after, after) == []
    assert changes(after, replace(after, answers=False, now="t3")) == ["t3  Ray does not answer"]


def test_amounts_and_times_for_people() -> None:
    assert [share(Share(4, 1)), share(Share(4)), share(Share(0, 0))] == ["1/4", "4", "-"]
    assert share(Share(8 * 1024**3, 0.0), 1024**3, " GB") == "0/8 GB"
    moments = {"2026-11-21T11:59:30+00:00": "30s", "2026-11-21T10:00:00+00:00": "2h", "": "-"}
    assert {moment: ago(moment, NOW.isoformat()) for moment in moments} == moments
    assert ago(datetime(2026, 11, 1, tzinfo=timezone.utc).isoformat(), NOW.isoformat()) == "20d"


def test_the_page_for_a_terminal_can_be_drawn() -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(page(SEEN, "it is gone"))
    text = console.export_text()
    for part in ("head", "ALIVE", "raysubmit_1", "worker-0 joined", "looking again", "app at /"):
        assert part in text
    console.print(page(None, ""))


def test_headers_are_no_part_of_what_is_shown() -> None:
    shown: Mapping[str, object] = vars(ACCESS)
    assert shown["headers"]
    assert no_secret(repr(ACCESS))
