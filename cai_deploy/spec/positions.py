"""Where in a text of YAML each key and each value stands. Pure.

It must not know what a specification may hold: whoever knows what is wrong, or what is to be written, asks here where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import yaml

Location = Sequence[str | int]
"""A way from the top: names of keys, and indices of lists."""


class Position(NamedTuple):
    """Both count from 1, as editors do."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def parse_nodes(text: str) -> yaml.Node | None:
    """The nodes of ``text``, None for an empty one. Raises yaml.YAMLError."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def value_at(root: yaml.Node | None, location: Location) -> yaml.Node | None:
    """The value at ``location``, None when there is none."""
    node = root
    for part in location:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            return None
    return node


def position_of(root: yaml.Node | None, location: Location, *, of_key: bool = False) -> Position | None:
    """Where the value at ``location`` begins, or its key; of what is not there, where it would have to be.

    None when not even the first part is there.
    """
    for length in range(len(location), 0, -1):
        node = value_at(root, location[:length])
        if node is None:
            continue
        if of_key and length == len(location):
            node = _key(root, location) or node
        return Position(node.start_mark.line + 1, node.start_mark.column + 1)
    return None


def repeated_key(node: yaml.Node | None) -> tuple[str, Position] | None:
    """The first key that stands twice in one mapping, where the second would silently win."""
    if isinstance(node, yaml.SequenceNode):
        return next((found for each in node.value if (found := repeated_key(each))), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            return str(key.value), Position(key.start_mark.line + 1, key.start_mark.column + 1)
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            seen.add(key.value)
        if found := repeated_key(value):
            return found
    return None


def _key(root: yaml.Node | None, location: Location) -> yaml.Node | None:
    parent = value_at(root, location[:-1])
    if not isinstance(parent, yaml.MappingNode):
        return None
    return next((key for key, _ in parent.value if key.value == str(location[-1])), None)
