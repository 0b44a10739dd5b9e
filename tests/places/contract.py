"""What every place does alike, from a launch to the end, with real Ray through the real command line.

The tests are the life of one cluster on each place, in the order in which they stand: a cluster for each of them would
take minutes. A place takes them over into a module of its own, with a fixture ``place`` that makes it, so that several
places can have their turn at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import Ran, poll
from tests.places.grounds import Ground, strike

SAYS_WHERE = (
    "import ray, sys; ray.init('auto'); print(sorted(n['NodeName'] for n in ray.nodes() if n['Alive'])); sys.exit({})"
)


Place = Callable[[], contextlib.AbstractContextManager[Ground]]


def of_machines(missing: str) -> list[pytest.MarkDecorator]:
    """The marks of a place that needs machines of its own; ``missing`` is what they would need and is not here."""
    needs = pytest.mark.skipif(bool(missing), reason=missing)
    return [pytest.mark.e2e, pytest.mark.slow, pytest.mark.root, needs]


@pytest.fixture(scope="module")
def ground(place: Place) -> Iterator[Ground]:
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def launched(ground: Ground) -> Iterator[Ran]:
    """How the first launch went. The cluster is there until the last test took it down."""
    yield ground.shell.ok("launch", "--json")
    if ground.leftovers():
        ground.shell.run("down")


def test_launch(ground: Ground, launched: Ran) -> None:
    document = launched.json()
    assert (document["cluster"], document["place"], document["converged"]) == ("ray", ground.name, True)
    created = [step.split(":")[0] for step in document["steps"] if step.startswith("create node")]
    assert created == ["create node head", "create node worker-0"]


def test_a_second_launch_has_nothing_to_do(ground: Ground, launched: Ran) -> None:
    before = members(ground)
    again = ground.shell.ok("launch", "--json").json()
    assert again["steps"] == []
    assert members(ground) == before
    assert ground.shell.ok("plan", "--exit-code").stdout == "nothing to do\n"


def test_status(ground: Ground, launched: Ran) -> None:
    status = ground.shell.status()
    assert status["place"] == ground.name
    assert [(node["name"], node["role"], node["group"]) for node in status["nodes"]] == [
        ("head", "head", "head"),
        ("worker-0", "worker", "worker"),
    ]
    assert {(node["state"], node["ray_state"]) for node in status["nodes"]} == {("running", "ALIVE")}
    assert status["connection"]["gcs_address"].startswith(status["nodes"][0]["address"])


def test_logs(ground: Ground, launched: Ran) -> None:
    assert "the head is up" in ground.shell.ok("logs", "head").stdout
    assert "joining the head" in ground.shell.ok("logs", "worker-0").stdout


def test_a_job_ends_as_its_command_does(ground: Ground, launched: Ran) -> None:
    assert "['head', 'worker-0']" in ground.shell.ok("submit", "--", "python", "-c", SAYS_WHERE.format(0)).stdout
    # Not as the first on its node, where Ray 2.60 may forget the status of a command that fails within two seconds.
    assert ground.shell.run("submit", "--", "python", "-c", SAYS_WHERE.format(3)).status == 3


def test_scale_up_and_back(ground: Ground, launched: Ran) -> None:
    before = members(ground)
    up = ground.shell.ok("scale", "--workers", "2", "--json").json()
    assert [step.split(":")[0] for step in up["steps"] if "node" in step] == ["create node worker-1"]
    assert members(ground).items() > before.items()
    ground.shell.ok("scale", "--workers", "1")
    now = members(ground)
    assert len(now) == 2
    assert now["head"] == before["head"], "who stays is not touched"


def test_a_worker_that_failed_is_brought_back_by_launch(ground: Ground, launched: Ran) -> None:
    (worker,) = (name for name in members(ground) if name != "head")
    agent = ground.agent_of(worker)
    strike(agent)
    poll("it is missed, or back already", lambda: missed(ground, worker, agent), deadline=60)
    ground.shell.ok("launch")
    assert ground.agent_of(worker) not in (0, agent)
    assert set(members(ground)) == {"head", worker}


def test_down_leaves_nothing_twice(ground: Ground, launched: Ran) -> None:
    assert "2 nodes removed" in ground.shell.ok("down").stderr
    poll("nothing is left", lambda: not ground.leftovers())
    assert "nothing to do" in ground.shell.ok("down").stderr
    poll("nothing is left again", lambda: not ground.leftovers())


def members(ground: Ground) -> dict[str, str]:
    """The nodes, all of them ALIVE, with what the place calls them."""
    status = ground.shell.status()
    assert status["converged"], status
    assert {node["ray_state"] for node in status["nodes"]} == {"ALIVE"}
    return {node["name"]: node["native_id"] for node in status["nodes"]}


def missed(ground: Ground, worker: str, agent: int) -> bool:
    """Whether the place shows that a worker has lost its ``agent``, or has given it another."""
    if ground.agent_of(worker) not in (0, agent):
        return True
    shown = {node["name"]: (node["state"], node["ray_state"]) for node in ground.shell.status()["nodes"]}
    return shown.get(worker) != ("running", "ALIVE")
