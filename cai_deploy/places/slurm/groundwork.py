"""The requests for what must stand before nodes can: environments, code, launchers, specification. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cai_deploy import layout
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.places.slurm.environments import HERE, RUNTIME
from cai_deploy.render import Launcher
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import WantedGround


def environments(spec: ClusterSpec, needed: Iterable[str]) -> Iterator[WantedGround]:
    """Each environment once, built on the machine that we run on."""
    for name in dict.fromkeys(needed):
        build = {
            "requirements": spec.environment.requirements,
            "python": HERE,
            "runtime": RUNTIME,
            "environment": name,
        }
        yield WantedGround("environment", name, name, {"build": build, "seconds": spec.timeouts.setup})


def code(digest: str) -> WantedGround:
    """The copy of this program that nodes run."""
    return WantedGround("code", digest, digest, {"copy": "cai_deploy", "path": layout.code_dir(digest)})


def launchers(rendered: Iterable[Launcher]) -> Iterator[WantedGround]:
    """Each launcher as a file at the directory's root."""
    for launcher in rendered:
        yield _file("launcher", launcher.path, launcher.text)


def specification(spec: ClusterSpec) -> WantedGround:
    """The wanted state itself, so that ``scale`` and ``status`` know it from any machine."""
    return _file("specification", layout.applied_spec_file(spec.name), spec.to_json())


def record(spec: ClusterSpec, needed: Mapping[str, str]) -> WantedGround:
    """What was reached, to go back to: the specification with its environments pinned, as the lock file may change."""
    environment = spec.environment.model_copy(update={"pinned": dict(needed)})
    reached = spec.model_copy(update={"environment": environment})
    return _file("record", layout.converged_spec_file(spec.name), reached.to_json())


def _file(kind: str, path: str, text: str) -> WantedGround:
    return WantedGround(kind, path, fingerprint(text), {"body": {"path": path, "content": text}})
