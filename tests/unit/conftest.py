"""What all unit tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def programs_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``uv`` is found as it is for a person who has activated the environment."""
    import os

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
