"""Carrying steps to the place, several at a time. The first refusal keeps those that wait from being sent at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from cai_deploy.places.base import Changes
from cai_deploy.state import Step

PARALLELISM = 10


def apply_all(place: Changes, steps: Sequence[Step], parallelism: int) -> None:
    """Apply every step. Raises the first error, after those that were under way have ended."""
    refused = Event()

    def apply(step: Step) -> None:
        if not refused.is_set():
            try:
                place.apply(step)
            except BaseException:
                refused.set()
                raise

    with place.intending(steps):
        with ThreadPoolExecutor(min(parallelism, len(steps))) as pool:
            under_way = [pool.submit(apply, step) for step in steps]
        for future in under_way:
            future.result()
