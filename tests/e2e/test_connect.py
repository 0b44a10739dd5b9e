"""A cluster reached from outside, where only its application's address is open: one is launched for all tests here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.conftest import Ran, Shell, people, poll
from tests.e2e.jobs import applications_of, credentials, exported

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLIENT = """
import os, ray
assert "RAY_AUTH_TOKEN" not in os.environ
ray.init()

@ray.remote(num_cpus=0)
def where(number):
    return number * number, ray.get_runtime_context().get_node_id()

found = ray.get([where.remote(number) for number in range(20)])
assert [square for square, _ in found] == [number * number for number in range(20)]
big = bytes(30_000_000)
assert ray.get(ray.put(big)) == big
print("NODES", len({node["NodeID"] for node in ray.nodes() if node["Alive"]}))
"""

SERVED = """
from ray import serve

@serve.deployment(ray_actor_options={"num_cpus": 0})
class Greeting:
    async def __call__(self, request):
        return "hello from Serve"

app = Greeting.bind()
"""

FROM_PYTHON = """
from cai_deploy import Cluster, ClusterSpec
from cai_deploy.errors import DeployError

with Cluster.launch(workers=1) as cluster:
    print("launched", cluster.name, len(cluster.nodes))
    cluster.scale(2)
    print("scaled", sorted(node.name for node in cluster.nodes))
    job = cluster.submit(["python", "-c", "import sys; print('from a job'); sys.exit(3)"])
    ended = job.wait(show=True)
    print("ended", ended.status, ended.exit_code, "from a job" in job.logs)
    print("told", cluster.overview.answers, cluster.connection.cluster, bool(cluster.logs("head")))
same = Cluster.from_connection(cluster.connection)
print("attached", same.name, same.job(job.id).job.exit_code)
try:
    Cluster.attach("other")
except DeployError as error:
    print("not there", error.what)
print(repr(same), same.access)
"""


@pytest.fixture(scope="module")
def launched() -> Iterator[Shell]:
    with people() as make:
        shell = make()
        shell.ok("launch", "--workers", "2")
        yield shell


def token_of(shell: Shell) -> str:
    return credentials(shell)["X-Ray-Authorization"].removeprefix("Bearer ")


def with_ray(shell: Shell, environment: Path, **variables: str) -> dict[str, str]:
    """The variables of a process with Ray's commands, and no way to a cluster but ``variables``."""
    kept = {name: value for name, value in shell.env().items() if not name.startswith("RAY_")}
    return {**kept, "PATH": f"{environment / 'bin'}:{Path(sys.executable).parent}:{kept['PATH']}", **variables}


@contextlib.contextmanager
def tunnel(shell: Shell) -> Iterator[dict[str, str]]:
    """The variables that ``connect --tunnel`` prints, while it is open."""
    process = shell.start("connect", "--tunnel", "--json")
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    text = ""
    for line in lines:
        text += line
        if line == "}\n":
            break
    try:
        yield json.loads(text)["variables"]
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        print(out, err)
        assert process.returncode == 0
        assert err.endswith("the tunnel is closed\n")
        assert token_of(shell) not in text + out + err


def in_a_session(environ: dict[str, str]) -> str:
    """What a program with Ray Client prints.

    It begins anew as a person would: on a busy machine Ray's own server for a session is at times not up after 30 s.
    """
    for _ in range(4):
        ran = subprocess.run(["python", "-c", CLIENT], env=environ, capture_output=True, text=True, timeout=180)
        if ran.returncode == 0:
            return ran.stdout
        print(ran.stderr)
    raise AssertionError(ran.stderr)


def test_ray_client_and_plain_jobs_through_the_tunnel(launched: Shell, ray_environment: Path) -> None:
    with tunnel(launched) as variables:
        token_file = Path(variables["RAY_AUTH_TOKEN_PATH"])
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(token_file.parent.stat().st_mode) == 0o700
        environ = with_ray(launched, ray_environment, **variables)
        assert "NODES 3" in in_a_session(environ)

        stranger = {**environ, "RAY_AUTH_TOKEN_PATH": str(launched.home / "wrong-token")}
        (launched.home / "wrong-token").write_text("0" * 64)
        ran = subprocess.run(["python", "-c", CLIENT], env=stranger, capture_output=True, text=True, timeout=180)
        assert ran.returncode != 0, "the tunnel adds nothing to what passes"

        dashboard = variables["RAY_API_SERVER_ADDRESS"]
        assert requests.get(f"{dashboard}/api/v0/nodes", timeout=30).json()["result"] is True
        elsewhere = {"Origin": "https://example.invalid"}
        assert requests.get(f"{dashboard}/api/v0/nodes", headers=elsewhere, timeout=30).status_code == 403
        plain = {name: value for name, value in environ.items() if not name.startswith("RAY_")}
        words = ["ray", "job", "submit", "--address", dashboard, "--", "echo", "through", "the", "tunnel"]
        ran = subprocess.run(words, env=plain, capture_output=True, text=True, timeout=180)
        assert ran.returncode == 0, ran.stderr
        assert "through the tunnel" in ran.stdout
    assert not token_file.parent.exists()


def test_serve_deploy_through_the_tunnel(launched: Shell, ray_environment: Path, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("greeting.py", SERVED)
    application = {"name": "greeting", "route_prefix": "/", "import_path": "greeting:app"}
    runtime_env = {"working_dir": "gcs://greeting.zip"}
    (tmp_path / "serve.yaml").write_text(json.dumps({"applications": [{**application, "runtime_env": runtime_env}]}))
    with tunnel(launched) as variables:
        dashboard = variables["RAY_API_SERVER_ADDRESS"]
        uploaded = requests.put(f"{dashboard}/api/packages/gcs/greeting.zip", data=packed.getvalue(), timeout=60)
        uploaded.raise_for_status()
        environ = with_ray(launched, ray_environment)
        words = ["serve", "deploy", str(tmp_path / "serve.yaml"), "--address", dashboard]
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=180)
        assert ran.returncode == 0, ran.stderr
    host = urlsplit(launched.status()["connection"]["dashboard_url"])
    headers = {"Host": host.netloc, **credentials(launched)}

    def answer() -> str:
        return requests.get(f"http://127.0.0.1:{host.port}/serve/", headers=headers, timeout=30).text

    poll("it answers under the application's address", lambda: answer() == "hello from Serve", 120)


def test_a_tunnel_leads_to_the_next_head(launched: Shell, ray_environment: Path) -> None:
    with tunnel(launched) as variables:
        environ = with_ray(launched, ray_environment, **variables)
        assert "NODES 3" in in_a_session(environ)
        before = launched.status()
        head = next(node for node in before["nodes"] if node["name"] == "head")
        applications, project_id = applications_of(launched)
        applications.restart(project_id, head["native_id"])

        def moved() -> bool:
            now = launched.status()
            return now["converged"] and now["connection"]["epoch"] > before["connection"]["epoch"]

        poll("the next head, with its workers", moved, 120)
        assert "NODES 3" in in_a_session(environ)


def test_a_shell_that_was_told_uses_rays_own_commands(launched: Shell, ray_environment: Path) -> None:
    connect = f"{launched.python} -m cai_deploy connect --shell"
    script = f'set -e; eval "$({connect})"; ray job submit -- echo by hand; ray job list'
    ran = subprocess.run(
        ["sh", "-c", script],
        cwd=launched.checkout,
        env=with_ray(launched, ray_environment),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stderr
    assert "by hand" in ran.stdout
    assert "JobStatus.SUCCEEDED" in ran.stdout or "'SUCCEEDED'" in ran.stdout
    assert token_of(launched) not in ran.stdout + ran.stderr


def test_nobody_who_looks_sees_a_secret(launched: Shell) -> None:
    secrets = {token_of(launched), exported(launched)["CML_API_KEY"]}
    shown = launched.ok("connect").stdout
    document = launched.ok("connect", "--json")
    for text in (shown, document.stdout, document.stderr, launched.ok("status").stdout):
        assert not [secret for secret in secrets if secret in text]
    assert document.json()["client_url"].startswith("ray://10.") or document.json()["client_url"].startswith(
        "ray://127."
    )
    assert document.json()["dashboard_url"] in shown
    on_a_terminal = subprocess.run(
        ["script", "-qec", " ".join(launched.argv("connect", "--shell")), "/dev/null"],
        cwd=launched.checkout,
        env=launched.env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "this is a terminal" in on_a_terminal.stdout
    assert not [secret for secret in secrets if secret in on_a_terminal.stdout]


def test_following_sees_a_worker_that_is_replaced(launched: Shell) -> None:
    process = launched.start("logs", "--follow", "all")
    heard: list[str] = []
    threads = [threading.Thread(target=listen, args=(stream, heard)) for stream in (process.stdout, process.stderr)]
    for thread in threads:
        thread.start()
    poll("what was written so far", lambda: any("==> worker-1 <==" in line for line in heard), 60)
    applications, project_id = applications_of(launched)
    worker = next(node for node in launched.status()["nodes"] if node["name"] == "worker-0")
    before = len(heard)
    applications.restart(project_id, worker["native_id"])
    poll("its end and its new beginning", lambda: wrote(heard[before:], "worker-0", "stopping"), 120)
    poll("the word that it is back", lambda: any("worker-0 joined at" in line for line in heard[before:]), 120)
    poll("its new beginning", lambda: wrote(heard[before:], "worker-0", "worker worker-0 of ray at"), 60)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    for thread in threads:
        thread.join()
    assert process.returncode == 0, "".join(heard)
    launched.ok("launch")

    recent = launched.ok("logs", "worker-0", "--since", "10m").stdout
    assert "worker worker-0 of ray at" in recent
    assert (
        launched.ok("logs", "worker-0", "--since", "2030-01-01").stdout
        == "(nothing was written by worker-0 since then)\n"
    )
    assert len(launched.ok("logs", "head", "--tail", "2").stdout.splitlines()) == 2
    assert launched.run("logs", "--since", "yesterday").status == 2


def listen(stream: Iterator[str] | None, heard: list[str]) -> None:
    for line in stream or ():
        heard.append(line)


def wrote(lines: list[str], node: str, what: str) -> bool:
    return any(line.startswith(f"{node} ") and what in line for line in lines)


def test_watching_once_and_as_it_changes(launched: Shell) -> None:
    seen = launched.ok("watch", "--once").stdout
    assert "3 of 3 nodes ALIVE" in seen
    assert "joined at" in seen
    document = launched.ok("watch", "--once", "--json").json()
    assert {node["name"] for node in document["nodes"]} == {"head", "worker-0", "worker-1"}

    process = launched.start("watch", "--every", "0.5")
    heard: list[str] = []
    thread = threading.Thread(target=listen, args=(process.stdout, heard))
    thread.start()
    poll("the first look", lambda: any("nodes ALIVE" in line for line in heard), 60)
    launched.ok("submit", "--", "echo watched")
    poll("the job's end", lambda: any("is SUCCEEDED" in line for line in heard), 60)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    thread.join()
    assert process.returncode == 0


def test_a_cluster_from_python_and_what_it_leaves(launched: Shell) -> None:
    ran = subprocess.run(
        [launched.python, "-c", FROM_PYTHON],
        cwd=launched.checkout,
        env={**launched.env(), "PYTHONPATH": str(launched.checkout)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert "launched ray 2" in lines
    assert "scaled ['head', 'worker-0', 'worker-1']" in lines
    assert "from a job" in lines
    assert "ended FAILED 3 True" in lines
    assert "told True ray True" in lines
    assert "attached ray 3" in lines
    assert "not there there is no cluster other here" in lines
    assert token_of(launched) not in ran.stdout + ran.stderr

    launched.ok("down")
    kept: Ran = launched.ok("logs", "head", "--tail", "1")
    assert kept.stdout.strip()
    assert "this is what it wrote last" in kept.stderr
    assert "==> worker-1 <==" in launched.ok("logs").stdout
    silent = launched.run("connect")
    assert silent.status != 0
    assert "there is no cluster ray here" in silent.stderr
    assert os.environ.get("RAY_ADDRESS") is None
