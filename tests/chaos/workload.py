"""What runs on a cluster while it is struck: a counter, tasks, a Serve application, and the driver of a submitted job.

``python workload.py JOURNAL COUNTER COUNTER_NODE`` on a node. Every line of the journal is one answer that the driver
really got, with the times of question and answer: who reads it afterwards knows what was promised. It ends when
``JOURNAL.end`` is there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import ray
from ray import serve
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

NAMESPACE = "chaos"
CONNECTION = Path.home() / ".cai-deploy" / "clusters" / "ray" / "connection.json"
PORT = 8000
ANSWER = "served"


@ray.remote(num_cpus=0)
class Counter:
    """Remembers in its process alone: whatever it forgets was lost."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> int:
        self._count += 1
        return self._count

    def read(self) -> int:
        return self._count


@ray.remote(num_cpus=0.1, max_retries=-1, scheduling_strategy="SPREAD")
def square(number: int) -> int:
    time.sleep(0.1)
    return number * number


@serve.deployment(max_replicas_per_node=1, ray_actor_options={"num_cpus": 0.1})
class Greeter:
    """Stands on each node that has CPUs: Serve opens no port on a node without a replica, the head's apart."""

    async def __call__(self, request: object) -> str:
        return ANSWER


class Journal:
    """Lines of ``asked answered kind detail``, in the order in which the answers came."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._end = path.with_name(f"{path.name}.end")
        self._lock = threading.Lock()

    def note(self, asked: float, kind: str, detail: object) -> None:
        with self._lock:
            self._file.write(f"{asked:.3f} {time.time():.3f} {kind} {detail}\n")

    def over(self) -> bool:
        return self._end.exists()

    def follow(self, kind: str, ask: Callable[[], object], pause: float) -> threading.Thread:
        """Ask again and again from a thread, and note each answer; what goes wrong is noted too."""

        def run() -> None:
            while not self.over():
                asked = time.time()
                try:
                    self.note(asked, kind, ask())
                except Exception as error:  # noqa: BLE001 (it is what the test wants to hear of)
                    self.note(asked, f"{kind}-failed", repr(error).splitlines()[0][:200])
                time.sleep(pause)

        thread = threading.Thread(target=run, daemon=True, name=kind)
        thread.start()
        return thread


def get(host: str) -> str:
    with urllib.request.urlopen(f"http://{host}:{PORT}/", timeout=2) as answer:
        return str(answer.read().decode())


def head_address() -> str:
    return str(json.loads(CONNECTION.read_text())["node_address"])


def main() -> None:
    journal, name = Journal(Path(sys.argv[1])), sys.argv[2]
    ray.init("auto", namespace=NAMESPACE)
    node = next(node["NodeID"] for node in ray.nodes() if node["NodeName"] == sys.argv[3] and node["Alive"])
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"name": name, "lifetime": "detached", "get_if_exists": True, "scheduling_strategy": there}
    counter = Counter.options(**options).remote()  # type: ignore[attr-defined]
    serve.start(proxy_location="EveryNode", http_options={"host": "0.0.0.0", "port": PORT})  # noqa: S104
    replicas = sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())
    serve.run(Greeter.options(num_replicas=replicas).bind(), route_prefix="/")  # type: ignore[attr-defined]
    numbers = iter(range(10**9))

    def squares() -> int:
        asked = [next(numbers) for _ in range(4)]
        assert ray.get([square.remote(number) for number in asked]) == [number * number for number in asked]
        return asked[-1]

    def find() -> int:
        # Handles are kept by the driver; the list of names comes from the GCS each time.
        assert {"name": name, "namespace": NAMESPACE} in ray.util.list_named_actors(all_namespaces=True)
        return int(ray.get(ray.get_actor(name).read.remote()))

    threads = [
        journal.follow("count", lambda: ray.get(counter.add.remote()), 0.05),
        journal.follow("find", find, 0.2),
        journal.follow("task", squares, 0.2),
        journal.follow("near", lambda: get("127.0.0.1"), 0.1),
        journal.follow("head", lambda: get(head_address()), 0.2),
    ]
    for thread in threads:
        thread.join()
    print(f"ENDED WELL AT {ray.get(counter.read.remote())}", flush=True)


main()
