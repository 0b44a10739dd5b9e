"""What a node is told from outside: that it is to stop, and that its time ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Orders:
    """``stop`` and ``warned`` are set when they have been told, and never again unset."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.warned = threading.Event()

    def heed_signals(self) -> None:
        """From now on take them from this process's signals. In the main thread alone."""
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGINT, self._told_to_stop)
        signal.signal(signal.SIGUSR1, self._warned_of_the_end)

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.stop.set()

    def _warned_of_the_end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.warned.set()
