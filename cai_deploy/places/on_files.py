"""What places do alike that are no workspace: a cluster's own files are all that they keep, and nothing looks after it.

It must not know what runs the nodes. Where the files are is for the place to say: all nodes may share one directory, or
each machine has its own.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import ClassVar, NoReturn

from cai_deploy import layout
from cai_deploy.hibernation import Asleep
from cai_deploy.places.base import LeaseLost, NotPossibleHere, PlaceObservation
from cai_deploy.places.files import ProjectFiles
from cai_deploy.places.lease import Lease
from cai_deploy.places.node_logs import LogFiles, open_logs
from cai_deploy.places.written import parse_applied
from cai_deploy.redaction import Redaction, secret_values
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Limits, Wanted


class PlaceOnFiles(ABC):
    """``where`` is the place in words; ``instead`` is what somebody may do who wanted a watchdog."""

    where: ClassVar[str]
    instead: ClassVar[str] = ""

    _redact: Redaction
    _lease: Lease | None

    @abstractmethod
    def _state(self, spec: ClusterSpec) -> ProjectFiles:
        """The files in which the cluster's own state stands."""

    @abstractmethod
    def _written(self, spec: ClusterSpec) -> ProjectFiles:
        """The files into which its nodes write. Finds what is secret in the cluster."""

    def build_leaving(self, spec: ClusterSpec, seen: PlaceObservation) -> Wanted:
        """Nothing."""
        del seen
        return Wanted(limits=Limits.of(spec))

    def observe_jobs(self, spec: ClusterSpec) -> NoReturn:
        """Raises NotPossibleHere: nothing happens here by the clock."""
        self._refuse_watchdog(spec)

    def build_jobs(self, spec: ClusterSpec, seen: PlaceObservation) -> NoReturn:
        """Raises NotPossibleHere as ``observe_jobs`` does."""
        del seen
        self._refuse_watchdog(spec)

    def appointments(self, spec: ClusterSpec) -> NoReturn:
        """Raises NotPossibleHere as ``observe_jobs`` does."""
        self._refuse_watchdog(spec)

    def pulse(self, spec: ClusterSpec, seen: PlaceObservation) -> NoReturn:
        """Raises NotPossibleHere: nobody looks after a cluster here by the clock."""
        del seen
        self._refuse_watchdog(spec)

    def build_asleep(self, spec: ClusterSpec, seen: PlaceObservation, asleep: Asleep) -> NoReturn:
        """Raises NotPossibleHere as ``pulse`` does."""
        del seen, asleep
        self._refuse_watchdog(spec)

    def logs(self, spec: ClusterSpec) -> LogFiles:
        """What the nodes of the cluster that ``spec`` names have written; those of a cluster that is down are kept."""
        return open_logs(self._written(spec), spec.name, now=time.time, redact=self._redact)

    def keep_evidence(self, spec: ClusterSpec, text: str) -> str:
        """Put ``text`` where ``down`` does not remove it; its path."""
        path = layout.evidence_file(spec.name, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        self._state(spec).create(path, text.encode())
        return path

    def reached_spec(self, spec: ClusterSpec) -> ClusterSpec | None:
        """The specification that the cluster called as in ``spec`` last reached, with the environments it ran on."""
        return parse_applied(self._state(spec).read_text(layout.converged_spec_file(spec.name)))

    def _learn_secrets(self, spec: ClusterSpec, seen: PlaceObservation) -> None:
        for known in filter(None, (spec, seen.applied_spec)):
            for group in known.groups:
                self._redact.learn(secret_values(group.env))

    def _check_claim(self, spec: ClusterSpec, seen: PlaceObservation) -> None:
        """Raises LeaseLost when somebody else has changed the cluster since we claimed it."""
        if self._lease and self._lease.held and seen.epoch > self._lease.epoch:
            raise LeaseLost(
                f"cluster {spec.name} was changed by another deployer", next_step="run the same command again"
            )

    def _refuse_watchdog(self, spec: ClusterSpec) -> NoReturn:
        raise NotPossibleHere(
            f"cluster {spec.name} is on {self.where}, where nothing happens by the clock", next_step=self.instead
        )
