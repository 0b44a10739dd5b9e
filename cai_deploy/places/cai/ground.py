"""Whether groundwork stands: environments and code by what their jobs left behind, files by their text.

What was seen standing is not looked at again by this process: nobody but the holder of the claim takes it away. Files
are, where a head hands them out: a deletion that was sent by somebody who died may arrive late.
"""

from __future__ import annotations

from collections.abc import Sequence

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import Job
from cai_deploy.places.cai import job_ground, kept, names, setup_runs
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.texts import Texts
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.spec import HEAD
from cai_deploy.state import Ground, GroundState, Step, WantedGround

FILES = ("program", "credential", "launcher", "specification", "record")
RARELY_CHANGED = ("program", "launcher", "record")
"""Files that are needed only to see that they are as they should be; the others are read anyway."""


class GroundReader:
    """The groundwork of one cluster."""

    def __init__(self, client: Client, texts: Texts) -> None:
        self._client = client
        self._texts = texts
        self._standing: dict[tuple[str, str], Ground] = {}
        self._listed: list[Job] | None = None

    def look(self, wanted: Sequence[WantedGround], seen: CaiObservation, cluster: str) -> tuple[Ground, ...]:
        """How each of ``wanted`` stands in a project whose code is there."""
        if not seen.project:
            return ()
        files = [want for want in wanted if want.kind in RARELY_CHANGED]
        handed_out = self._ask_head(files, seen, cluster) if head_answers(seen) else {}
        if head_answers(seen):
            for want in files:
                if self._stands(want) and want.name not in handed_out:
                    self.changed(want)  # somebody took it away, or the head sees it late
        unsure = [want for want in wanted if not self._stands(want)]
        self._listed = None
        for want in unsure:
            known = handed_out.get(want.name)
            stands = known is not None and fingerprint(known) == want.fingerprint
            self._standing[_key(want)] = _ready(want) if stands else self._look_at(want, seen, seen.project.id)
        if any(want.kind == "code" for want in unsure):
            self._texts.forget()  # while the code moves, any file may be another the next time
        return tuple(self._standing[_key(want)] for want in wanted)

    def changed(self, step: Step | WantedGround) -> None:
        """What ``step`` is about is not known any more."""
        self._standing.pop((step.kind, step.name), None)
        self._texts.forget(step.name, step.name + kept.SPARE)

    def _jobs(self, project_id: str) -> list[Job]:
        """All jobs of the project, asked for once in a look."""
        if self._listed is None:
            self._listed = self._client.jobs.list(project_id)
        return self._listed

    def _stands(self, want: WantedGround) -> bool:
        known = self._standing.get(_key(want))
        return known is not None and known.state is GroundState.ABSENT if want.gone else known == _ready(want)

    def _ask_head(self, wanted: Sequence[WantedGround], seen: CaiObservation, cluster: str) -> dict[str, str]:
        """What the head's agent hands out of ``wanted``, which costs no call of the API."""
        project_id = seen.project.id if seen.project else ""
        return self._texts.ask_head(names.subdomain(cluster, HEAD, project_id), [want.name for want in wanted])

    def _text_of(self, want: WantedGround, project_id: str) -> str | None:
        if want.kind in ("program", "credential", "launcher"):
            return self._texts.read(project_id, [want.name])[want.name]
        return kept.read(self._texts, project_id, want.name)

    def _look_at(self, want: WantedGround, seen: CaiObservation, project_id: str) -> Ground:
        if want.kind == job_ground.KIND:
            return job_ground.look(self._jobs(project_id), want)
        if want.kind in FILES:
            text = self._text_of(want, project_id)
            if text is None:
                return Ground(want.kind, want.name, GroundState.ABSENT)
            return Ground(want.kind, want.name, GroundState.READY, fingerprint(text))
        if want.kind == "environment":
            in_use = any(node.ready and node.facts.get("environment") == want.name for node in seen.nodes)
            stands = in_use or setup_runs.environment_ready(self._client, project_id, want.name)
            missing = "" if stands else "does not exist"
        else:
            at = f"at {seen.commit[:12]}" if seen.commit else "at no commit yet"
            missing = "" if seen.commit and want.fingerprint in ("", seen.commit) else f"the project is {at}"
        return setup_runs.observe_job_ground(self._client, project_id, want, missing)


def head_answers(seen: CaiObservation) -> bool:
    """Whether an agent answers at the head: it is what drains nodes, and hands out files."""
    return any(node.drain for node in seen.nodes)


def _key(want: WantedGround) -> tuple[str, str]:
    return (want.kind, want.name)


def _ready(want: WantedGround) -> Ground:
    return Ground(want.kind, want.name, GroundState.READY, want.fingerprint)
