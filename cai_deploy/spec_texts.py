"""What single texts in a specification may be made of, whichever place they are for.

Below the specification and the options of places, which hold such texts. It must not know what any of them is for.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Line = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def _the_same_from_anywhere(directory: str) -> str:
    if CONTROL.search(directory):
        raise ValueError("a directory is one line without control characters")
    if not directory.startswith(("/", "~/")):
        raise ValueError("the directory has to be absolute, or begin with ~/, to be the same from anywhere")
    return directory


Directory = Annotated[Line, AfterValidator(_the_same_from_anywhere)]
"""Where a cluster's files stand on the machines that share them."""
