"""Signs that are known, in the words in which they come, and what is said of them."""

from __future__ import annotations

import pytest

from cai_deploy.diagnosis import SIGNS, Exhibit, Finding, diagnose

LINES = {
    "RuntimeError: Version mismatch: The cluster was started with:": "different versions",
    "error: the head runs Ray 2.60.0 on Python 3.11.7, this node Ray 2.59.0 on Python 3.11.7: they cannot be one "
    "cluster": "different versions",
    "connection.json has version 2, this program reads version 1": "different versions",
    "ray.exceptions.AuthenticationError: RPC error: InvalidAuthToken: Authentication token is missing or incorrect. "
    "Ensure that the token for the cluster is available in a local file": "no Ray token",
    "ray.exceptions.AuthenticationError: Token authentication is enabled but no authentication token was found. "
    "Ensure": "no Ray token",
    "error: there is no token at /home/cdsw/x/token, though the cluster has a head": "no Ray token",
    "the head speaks TLS, this node does not: they cannot be one cluster": "alone speaks TLS",
    "error: there is no authority at /home/cdsw/x/authority.pem, though the cluster has a head": "alone speaks TLS",
    "whoever is at 10.77.0.2:6379 is not taken for the head: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
    "failed": "alone speaks TLS",
    "error: the environment has no library for certificates": "alone speaks TLS",
    "error: the head's GCS at 10.77.0.2:6379 accepts connections, but no bytes come through": "service mesh",
    "error: the head is accepted at port 8076 (node_manager) of this node at 10.77.0.3, but no bytes come "
    "through": "service mesh",
    "the head's GCS at 10.77.0.2:6379: accepted but no bytes came": "service mesh",
    "error: the head does not get through to port 8076 (node_manager) of this node at 10.77.0.3: refused": "firewall",
    "Token authentication is enabled but Ray couldn't find an authentication token. Create": "no Ray token",
    "launcher: head: the environment ray-0123 is not in this project. Build it": "environment is missing",
    "  x No solution found when resolving dependencies:": "requirement does not exist",
    "error: port 6379 (gcs) is held by another program": "holds a port",
    "error: port 44583 (object_manager) is held by another program: python (process 11108)": "holds a port",
    "OSError: [Errno 98] Address already in use": "holds a port",
    "(raylet) grpc_server.cc:134:  An unexpected system state has occurred. Check failed: server_ Failed to start the "
    "grpc server. The specified port is 7001. This means that Ray's core components will not be able": "holds a port",
    "error: the HTTP port 8100 cannot be opened": "holds a port",
    "error: of the worker ports 11000 to 11003, 1 are free and 2 are needed": "fewer worker ports",
    "No available ports. Please specify a wider port range using --min-worker-port and --max-worker-port.": "fewer",
    "warning: /dev/shm has 64 MB free, the object store wants 614 MB: it lies on disk with 614 MB, and is slow; raise "
    "the project's shared memory limit to at least 683 MB": "shared memory",
    "using /tmp instead of /dev/shm because /dev/shm has only 67108864 bytes available": "shared memory",
    "2 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed": "memory ran out",
    "OOM kill reason: Memory usage 5223677952B exceeded threshold of 505530208B (2.0% of 25276510208B "
    "limit)": "memory ran out",
    "error: Ray ended with status -9": "memory ran out",
    "OSError: [Errno 28] No space left on device": "disk is full",
    "IO error: While lock file: /home/cdsw/x/LOCK: No locks available": "does not lock",
    "WARNING: /home/cdsw/x/gcs is not fit for a database: it is mounted with local_lock=all: locks keep no other "
    "machine out. So": "does not lock",
    "no head after 300 seconds": "did not find its head",
    "worker-1: starting, it waits for a place to run, as it has written nothing yet": "no quota",
    "cai-deploy-setup-environment: ENGINE_SCHEDULING, its job waits for a place to run": "no quota",
    "script 'x.py' not found in project directory": "script is not in the project",
    "subdomain 'ray-head-1' is taken": "has the subdomain",
    "subdomain 'ray-head-1' is already in use": "has the subdomain",
    "project ray: failed, the repository could not be cloned": "repository cannot be read",
    "this runtime has Python 3.10, the environment is to have 3.11": "runtime's Python",
}


@pytest.mark.parametrize(("line", "cause"), LINES.items(), ids=LINES.values())
def test_a_sign_in_its_own_words(line: str, cause: str) -> None:
    (finding,) = diagnose([Exhibit("log of head", f"before\n{line}\nafter")])
    assert cause in finding.cause
    assert (finding.source, finding.line) == ("log of head", line.strip())
    assert finding.fix


def test_every_sign_is_tried() -> None:
    found = diagnose([Exhibit("all", "\n".join(LINES))])
    assert [finding.cause for finding in found] == [sign.cause for sign in SIGNS]


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-21T08:23:55Z ray: Ray runtime started.",
        "joining the head at 10.77.0.2:6379",
        "the head is up: epoch 3, GCS at 10.77.0.2:6379",
        "drained: Ray has no work here any more",
        "stopping",
        "[I] (raylet) worker_pool.cc:195: Initialized the worker port pool with 9998 shuffled ports.",
        "not checked: whether the head gets through to this node (the agent at 10.77.0.2:8100 answers with status 404)",
    ],
)
def test_what_is_no_sign_of_trouble(line: str) -> None:
    assert diagnose([Exhibit("log of head", line)]) == ()


def test_the_last_line_that_shows_it_counts_and_each_cause_once() -> None:
    older, newer = "no head after 10 seconds", "no head after 300 seconds"
    found = diagnose([Exhibit("log of worker-0", older), Exhibit("log of worker-1", f"{older}\n{newer}")])
    assert [(finding.source, finding.line) for finding in found] == [("log of worker-1", newer)]
    assert isinstance(found[0], Finding)
