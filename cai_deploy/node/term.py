"""What ends a node besides an order to stop: a batch job's time, a script's end, the wish of whoever brought a machine.

Each watches in a thread of its own, and however that watch ends, the node does too. It knows no reason for an end.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod


class Term(ABC):
    """A watch over a node: ``over`` is set when it has ended, which ends the node in good order."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True, name="term")

    def begin(self) -> None:
        """Look after the node from now on."""
        self._thread.start()

    def end(self) -> int | None:
        """When the node ends; the exit status that it is to have, None for that of the node."""
        return None

    @abstractmethod
    def _watch(self) -> None:
        """Until the node is to end."""

    def _live(self) -> None:
        try:
            self._watch()
        finally:
            self.over.set()
