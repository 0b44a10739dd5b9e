"""The requests for what must stand before nodes can, on each host that has some. Pure.

One request is for all hosts: they are given it at once, and it stands when it stands on all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cai_deploy import layout
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.places.ssh.placement import Placement
from cai_deploy.render import Launcher
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import WantedGround

Hosts = Sequence[str]


def code(digest: str, hosts: Hosts) -> WantedGround:
    """The copy of this program that nodes run."""
    return WantedGround("code", digest, digest, {"copy": "cai_deploy", "path": layout.code_dir(digest), "hosts": hosts})


def environments(
    spec: ClusterSpec, needed: Iterable[str], requirements: str, python: str, digest: str, hosts: Hosts
) -> Iterator[WantedGround]:
    """Each environment once, built on each host by its own Python, from the lock file that stands where we do."""
    path = layout.locked_file(spec.name)
    yield _file("requirements", path, requirements, hosts)
    for name in dict.fromkeys(needed):
        build = {"requirements": path, "python": python, "environment": name}
        request = {"build": build, "code": layout.code_dir(digest), "seconds": spec.timeouts.setup, "hosts": hosts}
        yield WantedGround("environment", name, name, request)


def launchers(rendered: Iterable[Launcher], scripts: Mapping[str, str], hosts: Hosts) -> Iterator[WantedGround]:
    """Each launcher, and each script of a person's own, as a file at the directory's root."""
    for launcher in rendered:
        yield _file("launcher", launcher.path, launcher.text, hosts)
    for path, text in sorted(scripts.items()):
        yield _file("script", path, text, hosts)


def token(cluster: str, hosts: Hosts) -> WantedGround:
    """What opens the cluster, the same on all hosts; it is made on the first of them, and stands in no request."""
    return WantedGround("token", cluster, "one", {"path": layout.token_file(cluster), "hosts": hosts})


def placement(cluster: str, placement: Placement, head: str) -> WantedGround:
    """On which host each node is, for when one does not answer."""
    return _file("placement", layout.placement_file(cluster), placement.to_json(), [head])


def specification(spec: ClusterSpec, head: str) -> WantedGround:
    """The wanted state itself, so that ``scale`` and ``status`` know it from any machine."""
    return _file("specification", layout.applied_spec_file(spec.name), spec.to_json(), [head])


def record(spec: ClusterSpec, needed: Mapping[str, str], head: str) -> WantedGround:
    """What was reached, to go back to: the specification with its environments pinned, as the lock file may change."""
    environment = spec.environment.model_copy(update={"pinned": dict(needed)})
    reached = spec.model_copy(update={"environment": environment})
    return _file("record", layout.converged_spec_file(spec.name), reached.to_json(), [head])


def _file(kind: str, path: str, text: str, hosts: Hosts) -> WantedGround:
    return WantedGround(kind, path, fingerprint(text), {"body": {"path": path, "content": text}, "hosts": hosts})
