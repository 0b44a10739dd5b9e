"""A cluster whose processes speak TLS with each other, with real Ray in pods."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from cai_deploy import layout
from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e.conftest import SPECIFICATION, Shell, poll
from tests.e2e.jobs import SPREAD, client_of, exported, run_ray_job
from tests.e2e.test_drain import Door
from tests.e2e.test_failover import SPREAD_OVER_THE_LIVING, alive, raylets
from tests.e2e.test_failover import told as told_by

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BOTH = {"head", "worker-0"}

ASK_THE_GCS = """
import sys
from ray._raylet import GcsClient
print('NODES', len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)))
"""

IN_A_NOTEBOOK = """
import os, ray, sys
from cai_deploy.node.tls import certified
os.environ.update(certified('ray'))
ray.init(f'ray://{sys.argv[1]}')
print('SUM', ray.get(ray.remote(lambda: 40 + 2).remote()))
"""

SERVED = """
import ray
from ray import serve
ray.init('auto')

@serve.deployment(num_replicas=2, ray_actor_options={'num_cpus': 0})
class Greeter:
    def __call__(self, name):
        return f'hello {name}'

handle = serve.run(Greeter.bind())
print('SERVED', {handle.remote('you').result() for _ in range(20)})
serve.shutdown()
"""

# Runs on the head, as a job: pods alone reach each other.
STRANGERS = """
import os, shlex, socket, ssl, subprocess, sys
GCS, CLIENT, ASK, NOTEBOOK = sys.argv[1:]
plain = {name: value for name, value in os.environ.items() if not name.startswith(('RAY_USE_TLS', 'RAY_TLS_'))}

def run(code, address, environ):
    try:
        done = subprocess.run([sys.executable, '-c', code, address], env=environ, capture_output=True, timeout=90)
    except subprocess.TimeoutExpired:
        return 'no end'
    if done.returncode:
        print(done.stderr.decode()[-2000:], file=sys.stderr)
    return f'{done.returncode} {done.stdout.decode()}'

def run_until_served(code, address, environ):
    # One in some ten sessions on a busy machine: Ray's own server for it is not up after Ray's 30 s.
    return next((told for _ in range(4) if (told := run(code, address, environ)).startswith('0 ')), 'never')

print('A MEMBER:', run(ASK, GCS, os.environ))
print('PLAIN:', run(ASK, GCS, plain))

def answer(certificates):
    context = ssl.create_default_context(cafile=os.environ['RAY_TLS_CA_CERT'])
    context.set_alpn_protocols(['h2'])
    for certificate in certificates:
        context.load_cert_chain(certificate, os.environ['RAY_TLS_SERVER_KEY'])
    host, port = GCS.split(':')
    try:
        with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as closed:
            closed.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            closed.settimeout(10)
            return 'heard' if closed.recv(1) else 'hung up on'
    except ssl.SSLError as error:
        return f'refused: {error.reason}'

print('BYTES WITH A CERTIFICATE:', answer([os.environ['RAY_TLS_SERVER_CERT']]))
print('BYTES WITHOUT ONE:', answer([]))

lines = subprocess.check_output([sys.executable, '-m', 'cai_deploy.node.tls', 'ray'], text=True, env=plain).splitlines()
own = dict(shlex.split(line)[1].split('=', 1) for line in lines)
print('A SHELL:', run(ASK, GCS, {**plain, **own}))
print('A NOTEBOOK:', run_until_served(NOTEBOOK, CLIENT, plain))
"""


def test_a_cluster_whose_nodes_speak_tls(person: Callable[..., Shell]) -> None:
    shell = person(specification=SPECIFICATION + "tls: true\n")
    began = time.monotonic()
    shell.ok("launch", "--workers", "1")
    print(f"launched with TLS in {time.monotonic() - began:.1f} s")
    assert "nothing to do" in shell.ok("launch", "--workers", "1").stderr
    assert set(run_ray_job(shell, SPREAD)) == BOTH, "a task on each node"

    door = Door(shell)
    connection = door.get("/cai-deploy/nodes")["connection"]
    addresses = connection["gcs_address"], connection["client_address"]
    status, told = door.end_of_job(door.start_job(STRANGERS, *addresses, ASK_THE_GCS, IN_A_NOTEBOOK), deadline=300)
    print(told)
    assert status == "SUCCEEDED"
    answers = {name: answer for name, colon, answer in (line.partition(": ") for line in told.splitlines()) if colon}
    assert answers["A MEMBER"] == "0 NODES 2"
    assert not answers["PLAIN"].startswith("0 ")
    assert "NODES" not in answers["PLAIN"]
    assert answers["BYTES WITH A CERTIFICATE"] == "heard"
    assert answers["BYTES WITHOUT ONE"] != "heard"
    assert answers["A SHELL"] == "0 NODES 2"
    assert answers["A NOTEBOOK"] == "0 SUM 42"
    assert "SERVED {'hello you'}" in door.run_job(SERVED)
    files = door.post("/cai-deploy/files", {"paths": [layout.authority_file("ray")]}).json()["files"]
    assert files == {layout.authority_file("ray"): None}, "the head tells it nobody"

    client, project = client_of(shell)
    journal = client.files.read_text(project.id, layout.node_log_file("ray", "worker-0")) or ""
    assert "not checked" not in journal

    exports = exported(shell)
    admin = Admin(exports["CML_HOST"], exports["CML_API_KEY"])
    admin.ask("PATCH", "settings", {"restart_pause": 0.5})
    before, address = raylets(shell), connection["node_address"]
    assert set(before) == {"worker-0"}
    began = time.monotonic()
    Faults(admin).add("pod_killed", target="ray-head", count=1)
    poll("the head is away", lambda: alive(door) == set())
    poll("both nodes ALIVE again", lambda: alive(door, address) == BOTH, deadline=60)
    print(f"both nodes ALIVE {time.monotonic() - began:.1f} s after the head's pod was killed")
    assert raylets(shell) == before, "the worker's Ray has not been started again"
    assert door.get("/cai-deploy/nodes")["connection"]["node_address"] != address
    poll("the dashboard answers", lambda: "ray_version" in told_by(door, "/api/version"))
    assert set(run_ray_job(shell, SPREAD_OVER_THE_LIVING)) == BOTH

    shell.commit("cai-deploy.yaml", SPECIFICATION)
    began = time.monotonic()
    shell.ok("launch", "--workers", "1")
    print(f"without TLS {time.monotonic() - began:.1f} s after `launch` began")
    assert set(run_ray_job(shell, SPREAD_OVER_THE_LIVING)) == BOTH
    assert Door(shell).get("/cai-deploy/nodes")["connection"]["authority_path"] == ""
    shell.commit("cai-deploy.yaml", SPECIFICATION + "tls: true\n")
    shell.ok("launch", "--workers", "1")
    assert set(run_ray_job(shell, SPREAD_OVER_THE_LIVING)) == BOTH, "and back"
