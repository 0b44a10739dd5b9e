"""One deployer in a process of its own, so that its memory is its own: ``launch``, ``down``, or the same creates bare.

    python -m tests.benchmarks.deployer launch|down|raw CLUSTER WORKERS PARALLELISM REPOSITORY [PROFILE]

The workspace is that of CML_HOST and CML_API_KEY. Prints one line of JSON.
"""

from __future__ import annotations

import cProfile
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from cai_deploy import deploy
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.transport import Transport
from cai_deploy.cli.progress import Story
from cai_deploy.places.cai import CaiPlace
from cai_deploy.places.cai.site import Site
from cai_deploy.state import Step
from tests.benchmarks.instant_nodes import specification


class Creations:
    """When the first of the workers' applications was sent, and when the last one was accepted."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self._lock = threading.Lock()

    def timed(self, send: Callable[[Any], None], wanted: Any) -> None:
        began = time.monotonic()
        send(wanted)
        with self._lock:
            self.began = min(self.began or began, began)
            self.ended = time.monotonic()


class Watched(CaiPlace):
    """The place, with a watch on the creation of nodes."""

    creations: Creations

    def apply(self, step: Step) -> None:
        if step.kind == "node" and step.action == "create":
            self.creations.timed(super().apply, step)
        else:
            super().apply(step)


def peak_mb() -> float:
    """This program's own peak: what getrusage tells begins with that of whoever started it."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def open_place(parallelism: int, repository: str) -> Watched:
    host, key = os.environ["CML_HOST"], os.environ["CML_API_KEY"]
    transport = Transport(host, key, parallelism=parallelism)
    site = Site(transport.host, repository)
    place = Watched(Client(transport), ApplicationHttp(transport.host, key), site, project_id=None, say=print)
    place.creations = Creations()
    return place


def launch(cluster: str, workers: int, parallelism: int, repository: str) -> dict[str, float]:
    place, spec = open_place(parallelism, repository), specification(cluster, workers)
    base, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    with Story() as story:
        done = deploy.launch(place, spec, story, parallelism=parallelism)
    ready = sum(node.ready for node in done.seen.nodes)
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "creating": place.creations.ended - place.creations.began,
        "created": sum(step.kind == "node" and step.action == "create" for step in done.applied),
        "ready": ready,
        "base_mb": base,
        "peak_mb": peak_mb(),
    }


def down(cluster: str, workers: int, parallelism: int, repository: str) -> dict[str, float]:
    place, spec = open_place(parallelism, repository), specification(cluster, workers)
    began, cpu = time.monotonic(), time.process_time()
    with Story() as story:
        done = deploy.tear_down(place, spec, story, parallelism=parallelism)
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "removed": sum(step.kind == "node" and step.action == "stop" for step in done.applied),
    }


def raw(cluster: str, workers: int, parallelism: int, repository: str) -> dict[str, float]:
    """The same requests, by nothing but a session for each thread."""
    place, spec = open_place(parallelism, repository), specification(cluster, workers)
    bodies = [node.create for node in place.build(spec, place.observe(spec)).nodes]
    own, creations = threading.local(), Creations()

    def send(request: Any) -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
            own.session.headers["Authorization"] = f"Bearer {os.environ['CML_API_KEY']}"
        answer = own.session.post(os.environ["CML_HOST"] + request["path"], json=request["body"], timeout=120)
        answer.raise_for_status()
        answer.json()

    cpu = time.process_time()
    with ThreadPoolExecutor(parallelism) as pool:
        list(pool.map(lambda request: creations.timed(send, request), bodies))
    return {"creating": creations.ended - creations.began, "cpu": time.process_time() - cpu}


def main(what: str, cluster: str, workers: str, parallelism: str, repository: str, profile: str = "") -> None:
    run = {"launch": launch, "down": down, "raw": raw}[what]
    if not profile:
        print(json.dumps(run(cluster, int(workers), int(parallelism), repository)))
        return
    watch = cProfile.Profile()
    told = watch.runcall(run, cluster, int(workers), int(parallelism), repository)
    watch.dump_stats(Path(profile))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
