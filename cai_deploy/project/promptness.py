"""How long a node's start would wait for the file system that its environment is on, found by trying.

A start of Ray opens thousands of small files, one after another. On a disk that is nothing; over a network each one may
take a round trip, and then it is those that a start consists of. What is done about it is the caller's matter.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import islice
from pathlib import Path

TRIED = 32

OPENS_IN_A_ROW = 4500
"""Of the 7,600 files that a head opens, by what each millisecond for one adds; others are opened side by side."""

WORTH_A_COPY = 8.0
"""Seconds. To fetch and unpack an environment takes about as long, so below that a copy makes no start shorter."""


def start_waits(environment: Path) -> float:
    """Seconds that a start from ``environment`` spends on opening files."""
    return seconds_to_open(environment) * OPENS_IN_A_ROW


def seconds_to_open(environment: Path) -> float:
    """The median over some of its files, each of another directory; 0 for an environment without any packages."""
    records = (directory / "RECORD" for directory in environment.glob("lib/python3*/site-packages/*.dist-info"))
    took = [_seconds(path) for path in islice(records, TRIED)]
    return statistics.median(took) if took else 0.0


def _seconds(path: Path) -> float:
    began = time.perf_counter()
    os.close(os.open(path, os.O_RDONLY))
    return time.perf_counter() - began
