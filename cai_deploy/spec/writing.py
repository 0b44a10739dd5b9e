"""Values put into the text of a specification without touching anything else in it: comments are half of its worth.

Pure. What a key may hold is not known here; whoever writes reads the text again afterwards.
"""

from __future__ import annotations

import yaml

from cai_deploy.spec.positions import Location, parse_nodes, value_at


def with_value(text: str, location: Location, value: object) -> str:
    """``text`` with ``value`` at ``location``, whose mapping has to be there and to stand in lines of its own.

    Raises KeyError when it is not. A value that stands in lines of its own itself is not replaced.
    """
    root = parse_nodes(text)
    there = value_at(root, location)
    if there is not None:
        return _replaced(text, there.start_mark.index, there.end_mark.index, _shown(value))
    above = value_at(root, location[:-1])
    if not isinstance(above, yaml.MappingNode) or above.flow_style or not above.value:
        raise KeyError(location)
    key, first = above.value[0]
    end = text.find("\n", first.end_mark.index - 1)
    line = f"{' ' * key.start_mark.column}{location[-1]}: {_shown(value)}\n"
    return f"{text[: end + 1]}{line}{text[end + 1 :]}"


def _replaced(text: str, start: int, end: int, shown: str) -> str:
    """With ``shown`` in the place of what stood there; a comment behind it stays in its column if there is room."""
    rest = text[end:]
    gap = len(rest) - len(rest.lstrip(" "))
    if rest[gap : gap + 1] == "#":
        width = max(end - start + gap - len(shown), 2)
        rest = " " * width + rest[gap:]
    return f"{text[:start]}{shown}{rest}"


def _shown(value: object) -> str:
    dumped: str = yaml.safe_dump(value, default_flow_style=True, width=100_000, sort_keys=False)
    return dumped.removesuffix("...\n").rstrip("\n")
