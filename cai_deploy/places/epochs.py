"""Epochs as texts: in a node's mark and in its label of Ray, whoever set it up last has the highest."""

from __future__ import annotations


def parse_epoch(text: object) -> int:
    """The number of an epoch, 0 for what is none."""
    return int(text) if isinstance(text, str) and text.isdecimal() else 0
