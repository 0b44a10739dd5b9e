"""spec + observation -> the very requests, without a workspace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cai_deploy.api.schemas import Project, Runtime
from cai_deploy.config import parse
from cai_deploy.errors import ConfigError
from cai_deploy.places.archive import node_digest
from cai_deploy.places.cai.build import Site, build
from cai_deploy.places.cai.environments import UNKNOWN_YET, needs_offers
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.state import Ground, GroundState, Wanted

PROJECT = "abcd-efgh-ijkl-mnop"
SITE = Site("https://ml.example.com", "https://example.com/a.git", "main")


def runtime(kernel: str, version: str, *, edition: str = "Standard", status: str = "ENABLED") -> Runtime:
    image = f"registry/ml-runtime-{kernel.lower().replace(' ', '')}-{edition.lower().replace(' ', '-')}:{version}"
    return Runtime(
        image_identifier=image,
        editor="PBJ Workbench",
        kernel=kernel,
        edition=edition,
        full_version=version,
        status=status,
    )


RUNTIMES = (
    runtime("Python 3.10", "2026.01.1-b5"),
    runtime("Python 3.11", "2026.08.1-b9"),
    runtime("Python 3.11", "2026.08.1-b10"),
    runtime("Python 3.11", "2026.08.1-b10", edition="Nvidia GPU"),
    runtime("Python 3.12", "2026.09.1-b1", status="DISABLED"),
    runtime("R 4.3", "2026.09.1-b1"),
)
SEEN = CaiObservation(
    project=Project(id=PROJECT, name="ray", creation_status="success"),
    ground=(Ground("project", "ray", GroundState.READY),),
    runtimes=RUNTIMES,
    requirements="ray[default,serve]==2.60.0 \\\n    --hash=sha256:0\n",
)


def wanted(text: str = "", seen: CaiObservation = SEEN, site: Site = SITE) -> Wanted:
    return build(parse(text), seen, site)


def test_the_ground_in_the_order_in_which_it_is_needed() -> None:
    at_commit = replace(SEEN, commit="c" * 40)
    kinds = [(g.kind, g.name) for g in wanted(seen=at_commit, site=replace(SITE, commit="c" * 40)).ground]
    assert [kind for kind, _ in kinds] == [
        "project",
        "program",
        "code",
        "environment",
        "launcher",
        "launcher",
        "specification",
    ]
    assert [name for kind, name in kinds if kind == "launcher"] == ["ray_head_launcher.py", "ray_worker_launcher.py"]


def test_the_project_is_a_clone_with_room_for_an_object_store() -> None:
    request = wanted("head: {memory_gb: 10}").ground[0].request
    assert request["body"] == {
        "name": "ray",
        "description": "Ray cluster ray, by cai_deploy",
        "template": "git",
        "git_url": "https://example.com/a.git",
        "git_ref": "main",
        "default_project_engine_type": "ml_runtime",
        "environment": {"CAI_DEPLOY_PROJECT": "ray"},
        "shared_memory_limit": 3584,
    }


def test_a_node_is_an_application_that_points_at_its_launcher_and_carries_the_mark() -> None:
    node = wanted("workers: [{replicas: 1, env: {A: b}}]").nodes[1]
    body = dict(node.create["body"])
    environment = body.pop("environment")
    subdomain = body["subdomain"]
    assert node.create["path"] == f"/api/v2/projects/{PROJECT}/applications"
    assert body == {
        "project_id": PROJECT,
        "name": "ray-worker-0",
        "subdomain": subdomain,
        "description": "worker of the Ray cluster ray, by cai_deploy",
        "script": "ray_worker_launcher.py",
        "cpu": 2,
        "memory": 4,
        "nvidia_gpu": 0,
        "runtime_identifier": "registry/ml-runtime-python3.11-standard:2026.08.1-b10",
        "bypass_authentication": False,
    }
    assert environment == {
        "A": "b",
        "CAI_DEPLOY_CLUSTER": "ray",
        "CAI_DEPLOY_OWNER": PROJECT,
        "CAI_DEPLOY_NODE": "worker-0",
        "CAI_DEPLOY_GROUP": "worker",
        "CAI_DEPLOY_FINGERPRINT": node.fingerprint,
        "CAI_DEPLOY_EPOCH": "(known once the change begins)",
        "CAI_DEPLOY_ENVIRONMENT": node.facts["environment"],
        "CAI_DEPLOY_PROGRAM": node_digest(),
        "CAI_DEPLOY_URL": f"https://{subdomain}.ml.example.com",
    }


def test_siblings_differ_in_their_names_alone() -> None:
    first, second = wanted("workers: [{replicas: 2}]").nodes[1:]
    assert first.fingerprint == second.fingerprint
    assert first.create["body"]["subdomain"] != second.create["body"]["subdomain"]


OLD = "registry/ml-runtime-python3.11-standard:2026.08.1-b9"


def images(seen: CaiObservation, text: str = "") -> list[str]:
    return [node.create["body"]["runtime_identifier"] for node in wanted(text, seen=seen).nodes]


@pytest.mark.parametrize(
    ("text", "head_changes", "worker_changes"),
    [
        ("workers: [{replicas: 5}]", False, False),
        ("workers: [{cpu: 3}]", False, True),
        ("workers: [{env: {A: b}}]", False, True),
        ("workers: [{labels: {a: b}}]", False, True),
        ("head: {memory_gb: 8}", True, False),
        ("head: {script: mine.py}", True, False),
        ("ports: {gcs: 6380}", True, True),
        ("timeouts: {launch: 100}", False, False),
        ("python: '3.10'", True, True),
        ("launch_with: inline", True, True),
    ],
)
def test_what_changes_a_fingerprint(text: str, head_changes: bool, worker_changes: bool) -> None:
    before, after = wanted().nodes, wanted(text).nodes
    assert (before[0].fingerprint != after[0].fingerprint) is head_changes
    assert (before[1].fingerprint != after[1].fingerprint) is worker_changes


def test_another_lock_is_another_environment_and_restarts_every_node() -> None:
    seen = replace(SEEN, requirements=f"{SEEN.requirements}numpy==2.0\n")
    assert [node.fingerprint for node in wanted().nodes] != [node.fingerprint for node in wanted(seen=seen).nodes]


def test_a_running_cluster_keeps_its_runtime_when_a_newer_one_appears() -> None:
    seen = replace(SEEN, runtimes_in_use={"head": OLD, "worker": OLD})
    assert images(seen) == images(seen, "python: '3.11'") == [OLD, OLD]


def test_a_group_without_nodes_runs_what_the_head_runs() -> None:
    seen = replace(SEEN, runtimes_in_use={"head": OLD})
    assert images(seen) == [OLD, OLD]
    assert images(replace(seen, runtimes=())) == [OLD, OLD], "and the workspace need not be asked"


def test_a_gpu_group_that_comes_later_has_the_heads_python() -> None:
    oldest = "registry/ml-runtime-python3.10-standard:2026.01.1-b5"
    seen = replace(SEEN, runtimes_in_use={"head": oldest})
    with pytest.raises(ConfigError, match=r"no runtime of the workspace has Python 3\.10 for GPUs"):
        images(seen, "workers: [{gpu: 1}]")


def test_another_python_is_another_runtime() -> None:
    seen = replace(SEEN, runtimes_in_use={"head": OLD, "worker": OLD})
    other = "registry/ml-runtime-python3.10-standard:2026.01.1-b5"
    assert images(seen, "python: '3.10'") == [other, other]


@pytest.mark.parametrize(
    ("text", "in_use", "needed"),
    [
        ("{}", {}, True),
        ("{}", {"head": OLD, "worker": OLD}, False),
        ("{}", {"head": OLD}, False),
        ("workers: [{gpu: 1}]", {"head": OLD}, True),
        ("workers: [{gpu: 1}]", {"head": OLD, "worker": OLD}, False),
        ("python: '3.11'", {"head": OLD, "worker": OLD}, False),
        ("python: '3.10'", {"head": OLD, "worker": OLD}, True),
    ],
)
def test_when_the_workspaces_runtimes_have_to_be_known(text: str, in_use: dict[str, str], needed: bool) -> None:
    assert needs_offers(parse(text), in_use) is needed


def test_a_gpu_group_gets_a_gpu_runtime_an_environment_and_a_launcher_of_its_own() -> None:
    made = wanted("workers: [{}, {name: gpu, gpu: 1}]")
    gpu = made.nodes[-1].create["body"]
    assert gpu["runtime_identifier"] == "registry/ml-runtime-python3.11-nvidia-gpu:2026.08.1-b10"
    assert gpu["script"] == "ray_worker_gpu_launcher.py"
    environments = [ground for ground in made.ground if ground.kind == "environment"]
    assert len({ground.name for ground in environments}) == 2
    assert len({ground.request["job"]["name"] for ground in environments}) == 2


def test_an_inline_command_needs_no_launcher_file() -> None:
    made = wanted("launch_with: inline")
    assert "launcher" not in {ground.kind for ground in made.ground}
    scripts = [node.create["body"]["script"] for node in made.nodes]
    assert "ray start --head" in scripts[0]
    assert all("--block" in script for script in scripts)


def test_a_script_of_ones_own_is_used_as_it_is() -> None:
    made = wanted("head: {script: mine/head.py}")
    assert made.nodes[0].create["body"]["script"] == "mine/head.py"
    assert [ground.name for ground in made.ground if ground.kind == "launcher"] == ["ray_worker_launcher.py"]


@pytest.mark.parametrize(
    ("text", "seen", "site", "what"),
    [
        (
            "python: '3.13'",
            SEEN,
            SITE,
            "no runtime of the workspace has Python 3.13",
        ),
        (
            "",
            replace(SEEN, requirements=None),
            SITE,
            "environment.requirements: requirements/cluster.txt is not in the project's repository",
        ),
        (
            "head: {script: mine.py}",
            replace(SEEN, missing_scripts=frozenset({"mine.py"})),
            SITE,
            "script: mine.py is not in the project",
        ),
        (
            "ray_version: 2.6.0",
            SEEN,
            SITE,
            "ray_version: requirements/cluster.txt does not pin ray==2.6.0",
        ),
        (
            "",
            CaiObservation(runtimes=RUNTIMES),
            replace(SITE, git_url="", unclonable="/home/me/mine"),
            "project.git_url: there is nothing to clone",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_done(
    text: str, seen: CaiObservation, site: Site, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        wanted(text, seen, site)
    assert caught.value.what == what
    assert caught.value.next_step


def test_before_the_project_exists_the_plan_shows_what_it_cannot_know_yet() -> None:
    made = wanted(seen=CaiObservation(runtimes=RUNTIMES))
    assert made.nodes[0].create["path"] == "/api/v2/projects/(known once the code is there)/applications"


def test_code_that_is_on_its_way_brings_its_own_requirements() -> None:
    seen = replace(SEEN, requirements=None, commit="a" * 40)
    made = wanted("ray_version: 2.99.0", seen, replace(SITE, commit="b" * 40))
    assert [ground.name for ground in made.ground if ground.kind == "environment"] == ["(known once the code is there)"]
    arrived = replace(SEEN, commit="b" * 40)
    with pytest.raises(ConfigError, match=r"does not pin ray==2\.99\.0"):
        wanted("ray_version: 2.99.0", arrived, replace(SITE, commit="b" * 40))


def test_code_whose_lock_file_is_known_changes_the_nodes_only_if_that_does() -> None:
    """A pull request that changes a script must not look as if it restarted the head."""
    seen = replace(SEEN, commit="a" * 40)
    there = [node.facts["environment"] for node in wanted(seen=seen, site=replace(SITE, commit="a" * 40)).nodes]
    same = wanted(seen=seen, site=replace(SITE, commit="b" * 40, lock=SEEN.requirements))
    assert [node.facts["environment"] for node in same.nodes] == there
    other = wanted(seen=seen, site=replace(SITE, commit="b" * 40, lock=f"{SEEN.requirements}numpy==2.0\n"))
    assert not {node.facts["environment"] for node in other.nodes} & {*there, UNKNOWN_YET}


def test_code_that_loses_its_lock_file_gets_ours_and_none_that_it_names_itself() -> None:
    seen, site = replace(SEEN, commit="a" * 40), replace(SITE, commit="b" * 40, lock="")
    assert UNKNOWN_YET not in {node.facts["environment"] for node in wanted(seen=seen, site=site).nodes}
    with pytest.raises(ConfigError, match=r"mine\.txt is not in the project's repository"):
        wanted("environment: {requirements: mine.txt}", seen, site)


def test_code_with_a_lock_file_that_cannot_work_is_not_even_fetched() -> None:
    site = replace(SITE, commit="b" * 40, lock="ray==2.1.0\n")
    with pytest.raises(ConfigError, match=r"does not pin ray==2\.60\.0"):
        wanted(seen=replace(SEEN, commit="a" * 40), site=site)
