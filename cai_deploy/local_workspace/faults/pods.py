"""Misfortunes of pods: killed, or cut off from the network. Acts once when a rule comes, and again when it goes.

It knows pods through what the life-cycles keep of them; how a network is cut is the kubelet's matter.
"""

from __future__ import annotations

import asyncio

from cai_deploy.local_workspace import rules as workspace_rules
from cai_deploy.local_workspace.faults.ledger import Standing
from cai_deploy.local_workspace.faults.rules import Kind, Rule
from cai_deploy.local_workspace.lifecycle.applications import Applications
from cai_deploy.local_workspace.store import Record
from cai_deploy.local_workspace.workspace import Workspace

_NEED_WALLS = {
    Kind.POD_CUT_OFF: "pods have no network of their own",
    Kind.SMALL_SHM: "pods have no /dev/shm of their own",
}


class PodFaults:
    """What becomes of the pods that are there when a rule comes."""

    def __init__(self, workspace: Workspace, applications: Applications) -> None:
        self._workspace = workspace
        self._applications = applications
        self._cut: dict[str, list[tuple[str, str]]] = {}

    def check(self, rule: Rule) -> None:
        """Refuse what cannot be done on this machine, and what would do nothing."""
        mode = self._workspace.pods.mode
        if rule.kind in _NEED_WALLS and not mode.isolated:
            raise workspace_rules.bad_request(
                f"{rule.kind.value} needs pods with namespaces: in pod mode {mode.value} {_NEED_WALLS[rule.kind]}"
            )

    async def begin(self, standing: Standing) -> None:
        """Carry out a rule that has just been added."""
        if standing.rule.kind is Kind.POD_KILLED:
            pods = self._workspace.pods
            await asyncio.gather(*(pods.stop(pod, 0.0) for _, pod in self._struck(standing.rule)))
        elif standing.rule.kind is Kind.POD_CUT_OFF:
            self._cut[standing.rule.id] = self._struck(standing.rule, kinds=("application",))
            await self._connect(standing.rule.id, connected=False)
            if standing.rule.duration is not None:
                self._workspace.in_background(f"heal {standing.rule.id}", self._heal(standing.rule))

    async def end(self, rule: Rule) -> None:
        """Give back what a rule took, now that it is gone."""
        await self._connect(rule.id, connected=True)
        self._cut.pop(rule.id, None)

    async def _heal(self, rule: Rule) -> None:
        await asyncio.sleep(rule.duration or 0.0)
        await self.end(rule)

    async def _connect(self, rule_id: str, *, connected: bool) -> None:
        others = {pod for other, cut in self._cut.items() if other != rule_id for _, pod in cut}
        for identifier, pod in self._cut.get(rule_id, []):
            if pod not in others:  # cut off by another rule too: that one decides
                await self._applications.connect(identifier, pod, connected=connected)

    def _struck(self, rule: Rule, kinds: tuple[str, ...] = ("application", "run")) -> list[tuple[str, str]]:
        found = []
        for kind in kinds:
            for record in self._workspace.store.list(kind):
                if self._runs(record) and self._workspace.faults.strikes(rule.kind, record):
                    found.append((record.id, record.inner["pod"]["name"]))
        return found

    def _runs(self, record: Record) -> bool:
        note = record.inner["pod"]
        status = self._workspace.pods.status(note["name"]) if note else None
        return status is not None and status.state == "running"
