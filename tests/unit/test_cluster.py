"""A cluster as a Python value, on a place that is played."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import cai_deploy
from cai_deploy import Cluster, ClusterSpec
from cai_deploy import cluster as python_api
from cai_deploy import connection as connection_file
from cai_deploy.access import Access
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, ConnectionFileError, DeployError
from cai_deploy.places.base import NoHead
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.session import Session
from cai_deploy.state import Node, NodeState
from cai_deploy.submission.job import Job
from tests.unit.submission.fake_jobs import FakeJobs
from tests.unit.test_logs import Written

INFO = ConnectionInfo("ray", 1, "10.0.0.2", "", "", "", "https://ray-head.example.com", "2.60.0", "3.11.7", "")
PACKAGE_ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """A place in which a cluster is what was last asked for."""

    name: str = "cai"
    clusters: dict[str, ClusterSpec] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def observe_cluster(self, spec: ClusterSpec) -> CaiObservation:
        applied = self.clusters.get(spec.name)
        names = [name for name, _ in applied.members()] if applied else []
        nodes = tuple(Node(name, "worker", "worker", NodeState.RUNNING, name, "") for name in names)
        return CaiObservation(nodes=nodes, connection=INFO if applied else None, applied_spec=applied)

    def access(self, spec: ClusterSpec) -> Access:
        if spec.name not in self.clusters:
            raise NoHead(f"there is no cluster {spec.name} here")
        return Access("https://ray-head.example.com", {"Authorization": "Bearer s3cret"})

    def logs(self, spec: ClusterSpec) -> Written:
        return Written({"head.log": "a\nb\n"})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    played = Place()

    def open_session(config: Path | None, *, spec: ClusterSpec | None = None, **_: Any) -> Session:
        chosen: Any = played
        target: Any = None
        return Session(chosen, target, True, spec or ClusterSpec(), spec is not None)

    def launch(where: Place, spec: ClusterSpec, progress: object) -> None:
        where.clusters[spec.name] = spec
        where.done.append(f"launch {spec.name} {spec.workers[0].replicas}")

    def tear_down(where: Place, spec: ClusterSpec, progress: object) -> None:
        where.clusters.pop(spec.name, None)
        where.done.append(f"down {spec.name}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(python_api, "open_session", open_session)
    monkeypatch.setattr(python_api, "launch", launch)
    monkeypatch.setattr(python_api, "tear_down", tear_down)
    return played


def test_a_cluster_outlives_its_program_unless_that_is_asked_for(place: Place) -> None:
    with Cluster.launch(ClusterSpec(name="mine"), workers=3) as cluster:
        assert (cluster.name, len(cluster.nodes), cluster.spec.workers[0].replicas) == ("mine", 4, 3)
        cluster.scale(1)
        assert [node.name for node in cluster.nodes] == ["head", "worker-0"]
    assert place.done == ["launch mine 3", "launch mine 1"]
    with Cluster.launch(ClusterSpec(name="mine"), workers=1, down_at_end=True):
        assert "mine" in place.clusters
    assert place.clusters == {}


def test_what_goes_wrong_takes_it_down_too_where_that_is_asked_for(place: Place) -> None:
    def fail() -> None:
        with Cluster.launch(down_at_end=True):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert place.done[-1] == "down ray"


def test_scaling_is_checked_before_anything_is_done(place: Place) -> None:
    cluster = Cluster.launch()
    with pytest.raises(ConfigError):
        cluster.scale(2, "gpu")
    with pytest.raises(ConfigError):
        cluster.scale(-1)
    assert len(place.done) == 1


def test_a_cluster_that_runs_is_attached_to_by_its_name(place: Place) -> None:
    Cluster.launch(ClusterSpec(name="mine"))
    attached = Cluster.attach("mine")
    assert attached.connection is INFO
    assert attached.logs("head", tail=1) == ["b"]
    attached.down()
    assert place.clusters == {}
    with pytest.raises(DeployError, match="there is no cluster mine here"):
        Cluster.attach("mine")
    with pytest.raises(NoHead):
        _ = attached.connection


def test_a_connection_file_leads_to_its_cluster_and_to_no_other(place: Place, tmp_path: Path) -> None:
    Cluster.launch()
    connection_file.write(tmp_path / "connection.json", INFO)
    for given in (INFO, tmp_path / "connection.json", str(tmp_path / "connection.json")):
        assert Cluster.from_connection(given).name == "ray"
    other = ConnectionInfo(**{**vars(INFO), "dashboard_url": "https://elsewhere.example.com"})
    with pytest.raises(ConnectionFileError, match="another cluster"):
        Cluster.from_connection(other)
    with pytest.raises(ConnectionFileError, match="does not exist"):
        Cluster.from_connection(tmp_path / "none.json")


def test_a_job_is_submitted_followed_and_found_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    jobs = FakeJobs(found=[None, Job("mine", "FAILED", "python train.py 'a b'", driver_exit_code=3)])
    monkeypatch.setattr(python_api, "open_jobs", lambda access: jobs)
    (tmp_path / "train.py").write_text("print('hello')\n")
    cluster = Cluster.launch()
    job = cluster.submit(["python", "train.py", "a b"], submission_id="mine", env={"SEED": "1"}, num_cpus=0.5)
    asked = jobs.submitted[0]
    assert (asked.id, asked.entrypoint, asked.num_cpus) == ("mine", "python train.py 'a b'", 0.5)
    assert asked.runtime_env["env_vars"]["SEED"] == "1"
    assert repr(job) == "SubmittedJob('mine')"
    assert job.wait().exit_code == 3
    assert cluster.job("mine").job.status == "FAILED"
    assert job.stop().status == "FAILED"
    cluster.submit(["python", "train.py", "a b"], submission_id="mine")
    assert len(jobs.submitted) == 1, "the same job is submitted once"
    assert capsys.readouterr().out == ""


def test_nothing_is_shown_of_what_opens_it(place: Place) -> None:
    cluster = Cluster.launch()
    assert "s3cret" not in f"{cluster!r} {cluster.access!r}"


def test_the_package_imports_nothing_before_it_is_asked() -> None:
    heavy = {"pydantic", "requests", "aiohttp", "yaml", "cai_deploy.cluster"}
    check = f"import sys, cai_deploy; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=PACKAGE_ROOT, check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'Clutser'"):
        _ = cai_deploy.Clutser  # type: ignore[attr-defined]
