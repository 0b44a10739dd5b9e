"""Blanking out what must not be told: credentials, by where people and programs put them and by their value.

Git, pip and scripts put them into texts that we show and keep. What is known by its value (our key, the cluster's
token, the variables that the platform hands to every pod) is found wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

BLANK = "***"

SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASS|PWD?$|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values are not shown."""

SHORTEST = 6
"""Characters. A shorter value is no secret, and stands in too many words."""

IN_PLACE = (
    (re.compile(r"(\w+://)[^/@\s]+@"), rf"\1{BLANK}@"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token)\s+)[^\s'\",]+"), rf"\1{BLANK}"),
    (re.compile(r"(ray-authentication-token=)[^;\s]+"), rf"\1{BLANK}"),
    (re.compile(r"\b(?:gh[opsu]_|github_pat_|glpat-|hf_)[A-Za-z0-9_-]{16,}"), BLANK),
)
"""URLs with a user's name or password, headers, and the tokens that carry their kind in front."""


def without_credentials(text: str) -> str:
    """``text`` with what looks like a credential blanked out, however many there are."""
    for pattern, blanked in IN_PLACE:
        text = pattern.sub(blanked, text)
    return text


def secret_values(variables: Mapping[str, str]) -> set[str]:
    """The values of those ``variables`` whose names speak of secrets."""
    return {value for name, value in variables.items() if SECRET_NAME.search(name)}


def shown_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """``variables`` as they may be shown: those whose names speak of secrets without their values."""
    return {name: BLANK if SECRET_NAME.search(name) else value for name, value in variables.items()}


class Redaction:
    """Blanks out credentials, and every value that it has learnt."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self.learn(known)

    def learn(self, values: Iterable[str]) -> None:
        """From now on these are blanked out too."""
        self._known |= {value for value in values if len(value) >= SHORTEST}

    def __call__(self, text: str) -> str:
        """``text`` as it may be told."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, BLANK)
        return without_credentials(text)
