"""From what a cluster has written to what is wrong with it: known signs, each with a cause and the way out. Pure.

For people, and for them alone: nothing in the deployer decides by what is found here, as texts change from version to
version. The signs of Ray are those of Ray 2.60, the others are our own words and those of the platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exhibit:
    """Something that was written: where it was found, and its text."""

    source: str
    text: str


@dataclass(frozen=True)
class Finding:
    """A known sign: what it means, what to do, and the ``line`` of the ``source`` that shows it."""

    cause: str
    fix: str
    source: str
    line: str


@dataclass(frozen=True)
class Sign:
    """A pattern that a line is searched for."""

    pattern: str
    cause: str
    fix: str


SIGNS = (
    Sign(
        r"Version mismatch: The cluster was started with|the head runs Ray \S+ on Python \S+, this node Ray"
        r"|has version \S+, this program reads version",
        "head and workers run different versions of Ray or Python",
        "give all groups the same runtime and environment: run `launch`, which says what differs",
    ),
    Sign(
        r"InvalidAuthToken|authentication token (is invalid|is missing)|couldn't find an authentication token"
        r"|no authentication token was found|there is no token at \S+, though|the cluster's token cannot be read",
        "the node has no Ray token, or another one than the head",
        "run `launch` again; a token that was copied or edited by hand has to go",
    ),
    Sign(
        r"speaks TLS, (the head|this node) does not|is not taken for the head: |there is no authority at \S+, though"
        r"|no certificate can be made with|the cluster's authority cannot be read|no library for certificates",
        "one node alone speaks TLS, or has no certificate of the cluster",
        "run `launch` again; the nodes' requirements must have `cryptography`, as `tls: true` needs it",
    ),
    Sign(
        r"but no bytes come through|: accepted but no bytes came",
        "a service mesh (Istio STRICT), or a path that drops large packets, lets none of Ray's bytes through",
        "pin Ray's ports, and apply what `python -m cai_deploy doctor --mesh-manifest` prints",
    ),
    Sign(
        r"the head does not get through to port \d+",
        "a network policy or firewall keeps the head from a node's port",
        "let pods of the cluster reach each other at Ray's ports, or choose others under `ports`",
    ),
    Sign(
        r"the environment \S+ is not in this project|the environment \S+ is not ready",
        "the virtual environment is missing",
        "run `launch`, which builds it; if it fails, look at `explain` again",
    ),
    Sign(
        r"No solution found when resolving|not found in the package registry|Could not find a version that satisfies",
        "a requirement does not exist, or not for this Python",
        "correct the requirements, lock them again, and `deploy`",
    ),
    Sign(
        r"port \d+ \(\w+\) is held by another program|[Aa]ddress already in use|the HTTP port \d+ cannot be opened"
        r"|Failed to start the grpc server\. The specified port is",
        "another program on the node holds a port that Ray needs",
        "choose another number under `ports`, or leave it out to let it move",
    ),
    Sign(
        r"of the worker ports \d+ to \d+, \d+ are free|No available ports\. Please specify a wider port range",
        "there are fewer worker ports than worker processes",
        "choose a wider range: ports.worker_min and ports.worker_max",
    ),
    Sign(
        r"shm has \d+ MB free, the object store wants|has only \d+ bytes available"
        r"|free up space by deleting files in /dev/shm",
        "shared memory is too small for the object store, which lies on disk now or is smaller than it was to be",
        "raise the project's shared memory limit to 35 % of the largest node's memory",
    ),
    Sign(
        r"killed due to memory pressure \(OOM\)|OOM kill reason: Memory usage"
        r"|[Oo]ut of memory|OOMKilled|ended with status (-9|137)\b",
        "memory ran out",
        "raise memory_gb of the group, or run fewer tasks at once (a higher num_cpus for each)",
    ),
    Sign(
        r"No space left on device|over \d+% full, available space",
        "the disk is full",
        "free space in the project or raise its limit; Ray spills objects to the pod's /tmp",
    ),
    Sign(
        r"[Ll]ock file.*(No locks available|Resource temporarily unavailable)|No locks available"
        r"|is not fit for a database: .*lock",
        "the shared file system does not lock files as it should",
        "ask who runs it for NFS locking (lockd, or nolock off)",
    ),
    Sign(
        r"no head after \d+ s|no head after \d+ seconds",
        "the worker did not find its head",
        "look at the head first: `logs head`",
    ),
    Sign(
        r"(the job|it) waits for a place to run|ENGINE_SCHEDULING|waits for a machine",
        "no quota, or no machine that is large enough",
        "ask for less cpu and memory, or have the user's quota or the node group raised",
    ),
    Sign(
        r"script '\S+' not found in project directory|script: \S+ is not in the project",
        "a script is not in the project",
        "commit it and run `deploy`",
    ),
    Sign(
        r"[Ss]ubdomain.*(taken|exists|in use)",
        "another application of the workspace has the subdomain",
        "choose another cluster name, or remove that application",
    ),
    Sign(
        r"could not be (cloned|had from the project's origin)|Authentication failed for|Repository not found",
        "the repository cannot be read from the workspace",
        "check project.git_url, and whether the workspace may read it without a password",
    ),
    Sign(
        r"this runtime has Python \S+, the environment is to have",
        "the runtime's Python is not the one that was asked for",
        "set `python`, or the group's `runtime`, so that they agree",
    ),
)


def diagnose(exhibits: Iterable[Exhibit]) -> tuple[Finding, ...]:
    """The known causes in ``exhibits``, each once, with the last line that shows it."""
    found: dict[str, Finding] = {}
    for exhibit in exhibits:
        for line in exhibit.text.splitlines():
            for sign in SIGNS:
                if re.search(sign.pattern, line):
                    found[sign.cause] = Finding(sign.cause, sign.fix, exhibit.source, line.strip())
    return tuple(found[sign.cause] for sign in SIGNS if sign.cause in found)
