"""A host's cable that is out for a minute while its node works: what Ray need not lose is not lost, and nobody helps.

Ray gives the node up within half a minute, so the task that ran there is run again and the actor is made again, when
the node has come back by itself; what the driver and its results are, stays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Shell, poll
from tests.e2e.ssh_hosts import SshHosts, ssh_hosts, unavailable
from tests.e2e.ssh_people import owner

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.long,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

CUT = 60.0

WORK = """
import time, ray
ray.init("auto", log_to_driver=False)
there = dict(num_cpus=0, resources={"there": 1})

@ray.remote(max_retries=-1, **there)
def long(seconds):
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()

@ray.remote(max_restarts=-1, max_task_retries=-1, **there)
class Counter:
    def __init__(self):
        self.count = 0
    def add(self, number):
        self.count += 1
        return number

kept = ray.put(list(range(1000)))
task, counter = long.remote(20), Counter.remote()
print("begun", ray.get(counter.add.remote(0)), flush=True)
answers = [counter.add.remote(number) for number in range(1, 4)]
ray.get(answers)
print("working", flush=True)
asked = []
while True:
    asked.append(counter.add.remote(len(asked)))
    done, _ = ray.wait([task], timeout=1)
    if done:
        break
assert ray.get(asked) == list(range(len(asked)))
assert ray.get(kept)[-1] == 999
print("all there", len(asked), flush=True)
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[SshHosts]:
    with ssh_hosts(2) as running:
        yield running


@pytest.fixture(scope="module")
def shell(hosts: SshHosts) -> Iterator[Shell]:
    group = {"replicas": 1, "cpu": 1, "memory_gb": 1, "resources": {"there": 2}}
    person = owner(hosts, [hosts.entry(1, groups=["head"]), hosts.entry(2)], workers=[group])
    person.ok("launch")
    yield person
    person.run("down")


def ray_state(shell: Shell) -> str:
    return next(str(node["ray_state"]) for node in shell.status()["nodes"] if node["name"] == "worker-0")


def test_a_minute_without_a_network_costs_no_result(hosts: SshHosts, shell: Shell) -> None:
    before = {node["name"]: node["native_id"] for node in shell.status()["nodes"]}
    shell.commit("work.py", WORK)
    job = shell.start("submit", "--on-head", "--", "python", "work.py")  # whose driver is not what is cut off
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.extend(job.stdout or ()), daemon=True)
    reader.start()
    poll("the work is under way", lambda: "working\n" in told, 120)
    hosts.cut(2)
    try:
        cut = time.monotonic()
        poll("it is out for a minute", lambda: time.monotonic() - cut > CUT, CUT + 5)
    finally:
        hosts.mend(2)
    mended = time.monotonic()
    poll("the node is back by itself", lambda: ray_state(shell) == "ALIVE", 120)
    back = time.monotonic() - mended
    assert job.wait(180) == 0, "".join(told)
    reader.join(10)
    print(f"ALIVE again {back:.1f} s after the cable was put back, all done {time.monotonic() - mended:.1f} s after it")
    assert any(line.startswith("all there") for line in told), told
    # The very processes that were there have healed by themselves, and there is nothing to mend.
    assert {node["name"]: node["native_id"] for node in shell.status()["nodes"]} == before
    assert shell.ok("launch", "--json").json()["steps"] == []
