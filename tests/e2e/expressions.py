"""Expressions of GitHub's workflows, as far as ours use them. What is not known is an error, never an empty text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TOKEN = re.compile(r"\s*('[^']*'|==|!=|&&|\|\||\(|\)|[A-Za-z_][\w.-]*)")
WORDS = {"&&": "and", "||": "or"}

Values = Mapping[str, Any]
"""By full names (``github.event_name``); a function's name (``failure``) has what a call of it answers. A step that was
skipped (``steps.plan.skipped``) has every output, and all are empty."""


def evaluate(expression: str, values: Values) -> Any:
    """What an expression comes to. Raises KeyError for a name that is not known, ValueError for what is no expression.

    ``a && b || c`` answers one of its parts, as Python's ``and`` and ``or`` do.
    """
    program, end = [], 0
    while expression[end:].strip():
        token = TOKEN.match(expression, end)
        if not token:
            raise ValueError(f"not understood: {expression[end:]!r} in {expression!r}")
        end, text = token.end(), token[1]
        call = re.match(r"\(\s*\)", expression[end:]) if re.match(r"[A-Za-z_]", text) else None
        end += call.end() if call else 0
        program.append(_written(text, values))
    return eval(" ".join(program), {"__builtins__": {}})  # noqa: S307 (of literals and operators alone)


def fill_in(text: str, values: Values) -> str:
    """``text`` with its expressions evaluated, as GitHub does before a step sees it."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1], values)), text)


def condition(text: str | None, values: Values) -> bool:
    """Whether a step or job runs: after a failure, only one whose condition asks for that."""
    if text is None:
        return not values["failure"]
    holds = bool(evaluate(text, values))
    return holds if "failure()" in text else holds and not values["failure"]


def _written(token: str, values: Values) -> str:
    if token in ("==", "!=", "(", ")") or token.startswith("'"):
        return token
    return WORDS[token] if token in WORDS else repr(_value(token, values))


def _value(name: str, values: Values) -> Any:
    step, of, _ = name.rpartition(".outputs.")
    return "" if of and f"{step}.skipped" in values else values[name]
