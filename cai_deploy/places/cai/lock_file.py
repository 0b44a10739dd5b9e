"""The lock file that a cluster's environment is built from: whose it is, and when hearsay of it is enough. Pure.

The head's agent hands out files at no call of the API. Its view of a shared file system may be a moment old, so that a
text of which nodes run on just the environment is believed, and any other is read again where it is certain.
"""

from __future__ import annotations

from dataclasses import replace

from cai_deploy import layout, shipped
from cai_deploy.errors import ConfigError
from cai_deploy.places.cai.environments import needed
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.node_groups import launcher_files
from cai_deploy.spec import DEFAULT_LOCK, ClusterSpec


def with_lock(spec: ClusterSpec, seen: CaiObservation, text: str | None) -> CaiObservation:
    """``seen`` with the lock file of the repository, where it has ``text``, or else the one that comes with us."""
    named = spec.environment.requirements
    if text is None and named == DEFAULT_LOCK:
        own = shipped.find(shipped.LOCK).read_text(encoding="utf-8")
        return replace(seen, requirements=own, lock_file=layout.SHIPPED_LOCK_FILE)
    return replace(seen, requirements=text, lock_file=named)


def nodes_run_on_it(spec: ClusterSpec, seen: CaiObservation) -> bool:
    """Whether the lock file in ``seen`` leads to the very environments that nodes which are up have."""
    try:
        wanted = {environment.name for environment in needed(spec, seen).values()}
    except ConfigError:  # whoever plans with it says so
        return False
    return wanted <= {node.facts.get("environment") for node in seen.nodes if node.ready}


def asked_of_the_head(spec: ClusterSpec) -> tuple[str, ...]:
    """The files that are mostly as they should be, in one question: the lock file, and those that we wrote."""
    record = layout.converged_spec_file(spec.name)
    return (spec.environment.requirements, layout.PROGRAM_FILE, *dict.fromkeys(launcher_files(spec)), record)
