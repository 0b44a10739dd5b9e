"""One attempt to get into a cluster from another pod: ``python stranger.py WAY HEAD AGENT_PORT``. It ends with ``IN``.

What it shows of itself is in its environment: no token, a wrong one, or the right one.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable


def gcs(head: str) -> None:
    from ray._raylet import GcsClient

    assert GcsClient(address=f"{head}:6379").get_all_node_info(timeout=5)


def driver(head: str) -> None:
    import ray

    ray.init(address=f"{head}:6379", log_to_driver=False)
    assert ray.get(ray.remote(lambda: 7).remote(), timeout=20) == 7


def ray_client(head: str) -> None:
    import ray

    ray.init(f"ray://{head}:10001")
    assert ray.get(ray.remote(lambda: 7).remote(), timeout=20) == 7


def jobs(head: str) -> None:
    from ray.job_submission import JobSubmissionClient

    assert JobSubmissionClient(f"http://{head}:8100").submit_job(entrypoint="true")


def agent(head: str) -> None:
    """The HTTP port of Ray's own that each node has, through which jobs are run on it: it is open to all pods."""
    token = os.environ.get("RAY_AUTH_TOKEN", "")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"http://{head}:{sys.argv[3]}/api/job_agent/jobs/"
    request = urllib.request.Request(url, json.dumps({"entrypoint": "true"}).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 (http, as it says)
        assert json.load(answer)["submission_id"]


WAYS: dict[str, Callable[[str], None]] = {
    "gcs": gcs,
    "driver": driver,
    "ray_client": ray_client,
    "jobs": jobs,
    "agent": agent,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.argv[2])
    print("IN", flush=True)
