"""One deployer at a time: a claim on a cluster, as a file in its project directory.

No place promises locks or conditional writes, but two things can be counted on: a file that was written is in
every later listing, and a file of a new name disturbs no other. So who wants the cluster first writes a claim of its
own and then looks: alone, it has the cluster; beside another, it withdraws. Two that come at once may both withdraw,
they never both stay. A claim's name says when it runs out, by the place's clock as machines' own clocks may differ, and
it is renewed by a new file before the old one goes, so that it is never missing.
"""

from __future__ import annotations

import contextlib
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cai_deploy import holder, layout
from cai_deploy.errors import DeployError
from cai_deploy.holder import Holder
from cai_deploy.places.base import HeldByAnother, LeaseLost
from cai_deploy.places.files import ProjectFiles

LIFETIME = 90.0
RENEW_EVERY = 30.0
"""Seconds: two renewals may fail before a claim runs out."""

LOOKS = 3

CLAIM = re.compile(r"(\d+)-([0-9a-f]{12})\.json")


@dataclass(frozen=True)
class Claims:
    """The claims on one cluster. ``now`` is the place's time, in seconds since 1970."""

    files: ProjectFiles
    cluster: str
    now: Callable[[], float]

    def take(self, wanted_by: Holder, after: int) -> Lease:
        """The cluster for ``wanted_by``, under an epoch above ``after``. Raises HeldByAnother."""
        self._refuse_if_held(except_for="")
        identity = uuid.uuid4().hex[:12]
        name = self.write(identity, wanted_by)
        try:
            self._refuse_if_held(except_for=identity)
            if name not in self._names():
                raise HeldByAnother(self.cluster, why="it is just being removed by another deployer")
        except DeployError:
            self.remove(name)
            raise
        return Lease(self, identity, name, wanted_by, max(int(self.now()), after + 1))

    def write(self, identity: str, by: Holder) -> str:
        """A new claim, good for LIFETIME seconds; its name."""
        name = self.name_from_now(identity)
        self.files.create(self._path(name), by.to_json().encode())
        return name

    def name_from_now(self, identity: str) -> str:
        """What a claim is called that begins now."""
        return f"{int(self.now() + LIFETIME)}-{identity}.json"

    def remove(self, name: str) -> None:
        """Take a claim away, as far as that works: one that stays runs out."""
        with contextlib.suppress(DeployError):
            self.files.delete(self._path(name))

    def others(self, identity: str) -> list[str]:
        """Whose the claims in force are, but for that of ``identity``. Those that count no more are removed."""
        found: dict[str, str | None] = {}
        for _ in range(LOOKS):
            found = {name: self._whose(name) for name in self._names() if _is_claim_of_another(name, identity)}
            # One that went while we looked was given back, or was renewed under a name that we have not seen.
            if None not in found.values():
                break
        return [whose or "somebody" for whose in found.values() if whose != ""]

    def _whose(self, name: str) -> str | None:
        """Whose claim it is, "" when it counts no more, None when it is not there any more."""
        text = self.files.read_text(self._path(name))
        if text is None:
            return None
        by = holder.parse(text)
        if int(name.partition("-")[0]) <= self.now() or (by and holder.is_gone(by)):
            self.remove(name)
            return ""
        return str(by or "somebody")

    def _refuse_if_held(self, except_for: str) -> None:
        for whose in self.others(except_for):
            raise HeldByAnother(self.cluster, why=f"is being changed by {whose}")

    def _names(self) -> list[str]:
        return [entry.path for entry in self.files.list(layout.lease_dir(self.cluster))]

    def _path(self, name: str) -> str:
        return f"{layout.lease_dir(self.cluster)}/{name}"


def _is_claim_of_another(name: str, identity: str) -> bool:
    claim = CLAIM.fullmatch(name)
    return claim is not None and claim[2] != identity


class Lease:
    """A claim that is held, and renewed by a thread of its own until it is released."""

    def __init__(self, claims: Claims, identity: str, name: str, by: Holder, epoch: int) -> None:
        self.epoch = epoch
        self._claims = claims
        self._identity = identity
        self._name = name
        self._by = by
        self._lost = ""
        self._released = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True, name="lease")
        self._renewal.start()

    @property
    def held(self) -> bool:
        """Whether it has not been given back."""
        return not self._released.is_set()

    def confirm(self) -> None:
        """Raises LeaseLost when it has run out, or is somebody else's."""
        expires = int(self._name.partition("-")[0])
        if self._lost or self._claims.now() >= expires:
            raise LeaseLost(
                f"the claim on cluster {self._claims.cluster} is lost",
                why=self._lost or "it could not be renewed in time",
                next_step="run the same command again",
            )

    def release(self) -> None:
        """Give the cluster back."""
        self._released.set()
        self._renewal.join()
        self._claims.remove(self._name)

    def _renew(self) -> None:
        while not self._released.wait(RENEW_EVERY) and not self._lost:
            # A renewal that fails is tried again; what matters is whether the claim is still in force at a change.
            with contextlib.suppress(DeployError):
                before = self._name
                if self._claims.name_from_now(self._identity) != before:
                    self._name = self._claims.write(self._identity, self._by)
                    self._claims.remove(before)
                self._lost = next((f"it was taken by {whose}" for whose in self._claims.others(self._identity)), "")
