"""The contract of a place: what the reconciler needs to bring nodes to life somewhere.

A place knows how its nodes are seen, described and changed. It must not decide what to change (``plan.py``) nor wait
(``reconcile.py``). ``build`` is pure: the same specification and observation give the same requests, which is what
makes ``plan`` a true preview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from cai_deploy.access import Access
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import DeployError, Fault
from cai_deploy.hibernation import Asleep, Pulse
from cai_deploy.places.appointment import Appointment
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation, Step, Wanted

Seen = TypeVar("Seen", bound=Observation)
"""What one place observes: an Observation, with whatever more the place's own ``build`` needs."""


@dataclass(frozen=True)
class PlaceObservation(Observation):
    """What every place shows of a cluster beside its nodes.

    ``applied_spec`` is what it was last launched with, None where there is no such cluster; ``asleep`` is the record of
    one that was put to sleep; ``epoch`` is that of the latest claim that changed a node. ``commit`` and
    ``branch`` are what the clone in the project is at, "" where there is none, or nobody asked.
    """

    applied_spec: ClusterSpec | None = None
    asleep: Asleep | None = None
    epoch: int = 0
    commit: str = ""
    branch: str = ""


class NotPossibleHere(DeployError):
    """The place has nothing that this could be done to, or with."""

    exit_code = 2


class HeldByAnother(DeployError):
    """Somebody else changes the cluster now. ``what`` is the cluster, ``why`` says who holds it, and since when."""

    retry_helps = True


class LeaseLost(DeployError):
    """Our claim on the cluster ran out, or somebody took it over: what we know of it may be wrong by now."""

    fault: Fault = "platform"
    retry_helps = True


class NoHead(DeployError):
    """There is no head that could be used, as there is no cluster; or for one of the reasons below."""


class HeadSilent(NoHead):
    """The head does not answer: it is starting, moving, or gone."""

    exit_code = 5
    fault: Fault = "platform"
    retry_helps = True


class HeadRefuses(NoHead):
    """The head does not let us in, or the token that would open it cannot be read."""

    exit_code = 4


class NodeLogs(Protocol):
    """What the nodes of one cluster have written, as files by their names in ``layout.logs_dir``. Reads only.

    ``kept`` is whether the cluster was taken down since, so that nothing more will come.
    """

    kept: bool

    def sizes(self) -> Mapping[str, int]:
        """The bytes of each file; none when nothing was written."""
        ...

    def read(self, file: str, start: int = 0) -> tuple[list[str], int]:
        """The whole lines from byte ``start`` on, without secrets, and the byte after them."""
        ...

    def now(self) -> datetime:
        """The time as those know it who write."""
        ...


class Claim(Protocol):
    """The right to change one cluster, held by one at a time."""

    def confirm(self) -> None:
        """Raises LeaseLost when it is not ours any more."""
        ...

    def release(self) -> None:
        """Give it back. Never raises: a claim that cannot be given back runs out by itself."""
        ...


class Changes(Protocol):
    """What the reconciler needs of whom it has changes made by."""

    def claim(self, purpose: str) -> Claim | None:
        """The right to change what was observed; None while there is nothing yet that a claim could be written on.

        Raises HeldByAnother when somebody else has it.
        """
        ...

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Around the application of ``steps``: what is about to be created is noted where the next run finds it."""
        ...

    def apply(self, step: Step) -> None:
        """Carry out one step by sending its request. Returns when the place has accepted it, not when it is done."""
        ...

    def last_words(self, step: Step) -> str:
        """The last lines of what the step's object wrote, "" when there are none. Reads only, never raises."""
        ...


class Leftover(Protocol):
    """One thing that is ours and that nobody wants, and why."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def reason(self) -> str: ...


class Collection(Changes, Protocol):
    """Things that nobody wants: some that run, and others."""

    def find(self) -> Sequence[Leftover]:
        """What they are now. Reads only."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Around the removal: nobody else changes anything here meanwhile. Raises HeldByAnother."""
        ...

    def observe(self) -> Observation:
        """What runs."""
        ...

    def remove_others(self) -> object:
        """Delete what does not run."""
        ...


class Place(Changes, Protocol[Seen]):
    """Where the nodes of clusters live."""

    name: str
    runs_as: str
    """The place's word for what runs a node."""

    def observe(self, spec: ClusterSpec) -> Seen:
        """The cluster that ``spec`` names and the groundwork that ``spec`` needs, as they are now. Reads only."""
        ...

    def observe_cluster(self, spec: ClusterSpec) -> Seen:
        """The cluster that ``spec`` names, without groundwork. Reads only."""
        ...

    def build(self, spec: ClusterSpec, seen: Seen) -> Wanted:
        """The objects that ``spec`` wants here, with the requests that make them. Pure."""
        ...

    def observe_leaving(self, spec: ClusterSpec) -> Seen:
        """The cluster that ``spec`` names, with the groundwork that must go before its nodes do. Reads only."""
        ...

    def build_leaving(self, spec: ClusterSpec, seen: Seen) -> Wanted:
        """Nothing of the cluster, neither nodes nor that groundwork. Pure."""
        ...

    def observe_jobs(self, spec: ClusterSpec) -> Seen:
        """What happens to the cluster by the clock, without its nodes. Reads only. Raises NotPossibleHere."""
        ...

    def build_jobs(self, spec: ClusterSpec, seen: Seen) -> Wanted:
        """All that ``spec`` wants to happen by the clock, and nothing of the cluster itself. Pure."""
        ...

    def appointments(self, spec: ClusterSpec) -> Sequence[Appointment]:
        """Everything that happens to the cluster by the clock, as it is now. Raises NotPossibleHere."""
        ...

    def pulse(self, spec: ClusterSpec, seen: Seen) -> Pulse:
        """How the cluster that ``seen`` shows lives. Reads only."""
        ...

    def build_asleep(self, spec: ClusterSpec, seen: Seen, asleep: Asleep) -> Wanted:
        """No nodes, and the record ``asleep`` before they go. Pure."""
        ...

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the files that belong to the cluster alone. For when no node is left."""
        ...

    def access(self, spec: ClusterSpec) -> Access:
        """How a client reaches the head of the cluster that ``spec`` names. Raises NoHead when none can."""
        ...

    def logs(self, spec: ClusterSpec) -> NodeLogs:
        """What the nodes of the cluster that ``spec`` names have written, of a cluster that is down too."""
        ...

    def evidence(self, spec: ClusterSpec) -> tuple[Exhibit, ...]:
        """Everything that the cluster of ``spec`` has written. Reads only."""
        ...

    def keep_evidence(self, spec: ClusterSpec, text: str) -> str:
        """Put ``text`` where ``down`` does not remove it; its path, "" when there is no place for it yet."""
        ...

    def reached_spec(self, spec: ClusterSpec) -> ClusterSpec | None:
        """The specification that the cluster called as in ``spec`` last reached, None when it never reached any."""
        ...

    def collector(self, spec: ClusterSpec) -> Collection | None:
        """What can be cleaned up; None while there is nothing of ours. Raises NotPossibleHere."""
        ...

    def delete_project(self, spec: ClusterSpec) -> str:
        """Remove the project of ``spec``; its name, "" when there is none. Raises NotPossibleHere."""
        ...
