"""A specification -> the jobs of its nodes, and what must stand before them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm.build import build
from cai_deploy.places.slurm.environments import HERE, RUNTIME
from cai_deploy.places.slurm.node_jobs import Where
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.project.environment import environment_name
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Wanted, WantedNode

LOCK = "ray[default]==2.60.0\n"
SEEN = SlurmObservation(requirements=LOCK)
WHERE = Where("/shared/ray", "0123456789abcdef", 7)


def spec(**more: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"place": "slurm", **more})


def wanted(seen: SlurmObservation = SEEN, where: Where = WHERE, **more: Any) -> Wanted:
    return build(spec(**more), seen, where)


def nodes(**more: Any) -> dict[str, WantedNode]:
    return {node.name: node for node in wanted(**more).nodes}


def test_groundwork_in_the_order_in_which_it_is_needed() -> None:
    name = environment_name(LOCK, HERE, RUNTIME)
    assert [(ground.kind, ground.name) for ground in wanted().ground] == [
        ("environment", name),
        ("code", WHERE.code),
        ("launcher", "ray_head_launcher.py"),
        ("launcher", "ray_worker_launcher.py"),
        ("specification", ".cai-deploy/clusters/ray/spec.json"),
    ]
    assert [ground.kind for ground in wanted().records] == ["record"]


def test_a_node_as_a_request() -> None:
    request = nodes(slurm={"partition": "gpu", "account": "lab"}, workers=[{"env": {"MOTTO": "it's"}}])[
        "worker-0"
    ].create
    assert request["script"] == ".cai-deploy/clusters/ray/jobs/worker-0.sh"
    assert request["argv"][:3] == ["sbatch", "--parsable", "--job-name=ray-worker-0"]
    assert request["argv"][-1] == "/shared/ray/.cai-deploy/clusters/ray/jobs/worker-0.sh"
    assert (request["partition"], request["account"]) == ("gpu", "lab")
    lines = request["text"].splitlines()
    assert lines[-1] == "exec python3 ray_worker_launcher.py"
    for line in (
        "#SBATCH --output=/shared/ray/.cai-deploy/clusters/ray/jobs/worker-0.out",
        "#SBATCH --partition=gpu",
        "export CAI_DEPLOY_NODE=worker-0",
        "export CAI_DEPLOY_PLACE=slurm",
        "export CAI_DEPLOY_EPOCH=7",
        "export PYTHONPATH=/shared/ray/.cai-deploy/code/0123456789abcdef",
        "export MOTTO='it'\"'\"'s'",
    ):
        assert line in lines


def test_what_is_for_the_head_alone() -> None:
    slurm = {"handover": True, "idle": {"after": 10}, "ports_first": 20000, "checkpoint": 30}
    made = nodes(slurm=slurm)
    head, worker = made["head"].create["text"], made["worker-0"].create["text"]
    for line in ("CAI_DEPLOY_HANDOVER=1", "CAI_DEPLOY_PORTS_FIRST=20000", "CAI_DEPLOY_IDLE="):
        assert f"export {line}" in head
        assert f"export {line}" not in worker
    assert "export CAI_DEPLOY_CHECKPOINT=30" in head
    assert "export CAI_DEPLOY_CHECKPOINT=30" in worker


def test_the_number_of_siblings_the_claim_and_the_code_make_no_other_node() -> None:
    before = nodes()["worker-0"].fingerprint
    after = wanted(where=replace(WHERE, epoch=8, code="f" * 16), workers=[{"replicas": 3}])
    assert {node.fingerprint for node in after.nodes if node.group == "worker"} == {before}


@pytest.mark.parametrize(
    "change",
    [
        {"workers": [{"cpu": 1}]},
        {"workers": [{"env": {"A": "b"}}]},
        {"workers": [{"slurm": {"partition": "gpu"}}]},
        {"slurm": {"time": "60"}},
        {"timeouts": {"stop": 10}},
    ],
)
def test_what_makes_another_node(change: dict[str, Any]) -> None:
    assert nodes(**change)["worker-0"].fingerprint != nodes()["worker-0"].fingerprint


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"cluster\.txt is not in /shared/ray"):
        wanted(SlurmObservation())
    with pytest.raises(ConfigError, match=r"does not pin ray==2\.60\.0"):
        wanted(SlurmObservation(requirements="ray==2.59.0\n"))
    with pytest.raises(ConfigError, match=r"my\.py is not in"):
        wanted(replace(SEEN, missing_scripts=frozenset({"my.py"})))
    with pytest.raises(ConfigError, match="was not written by cai_deploy"):
        wanted(replace(SEEN, strange_files=frozenset({"ray_head_launcher.py"})))
    with pytest.raises(ConfigError, match="this is Python"):
        wanted(python="3.99")


def test_a_pinned_environment_is_used_whatever_the_lock_file_says() -> None:
    pinned = {"head": "ray-old", "worker": "ray-old"}
    made = wanted(SlurmObservation(), environment={"pinned": pinned})
    assert [ground.name for ground in made.ground if ground.kind == "environment"] == ["ray-old"]
