"""What the user's workloads hold of vCPU, memory and GPUs. What does not fit waits until it does, for ever if need be.

A running workload is never taken away, and one that waits holds nothing: a small one may overtake a large one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from cai_deploy.local_workspace.settings import AMOUNTS, Settings

Amounts = dict[str, float]


def wanted_by(shown: Mapping[str, Any]) -> Amounts:
    """What an application or a run asks for."""
    return {"cpu": float(shown["cpu"]), "memory": float(shown["memory"]), "gpu": float(shown["nvidia_gpu"])}


class Quota:
    """The user's account."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._held: dict[str, Amounts] = {}
        self._freed = asyncio.Event()

    def used(self) -> Amounts:
        """What is held in all."""
        return {name: sum(amounts[name] for amounts in self._held.values()) for name in AMOUNTS}

    def hold(self, identifier: str, amounts: Amounts) -> None:
        """Take it, whether it fits or not: its pod runs already."""
        self._held[identifier] = amounts

    async def admission(self, identifier: str, amounts: Amounts) -> None:
        """Take it as soon as it fits."""
        while not self._fits(identifier, amounts):
            await self._freed.wait()
        self.hold(identifier, amounts)

    def give_back(self, identifier: str) -> None:
        """Its pod is gone."""
        if self._held.pop(identifier, None):
            self.look_again()

    def look_again(self) -> None:
        """Something was freed, or the limits changed."""
        self._freed.set()
        self._freed = asyncio.Event()

    def _fits(self, identifier: str, amounts: Amounts) -> bool:
        limits = self._settings().quota
        if all(limits[name] is None for name in AMOUNTS):
            return True  # without adding up what thousands hold
        used, own = self.used(), self._held.get(identifier, dict.fromkeys(AMOUNTS, 0.0))
        for name in AMOUNTS:
            limit = limits[name]
            if limit is not None and amounts[name] and used[name] - own[name] + amounts[name] > limit:
                return False
        return True
