"""The workspace's words for what a thing is doing. A word that we don't know reads as UNKNOWN, never as an end state.

It must not know how the words become ours: that table is the place's.
"""

from __future__ import annotations

from enum import Enum


class ApplicationStatus(str, Enum):
    """The states of an application."""

    UNKNOWN = "APPLICATION_UNKNOWN"
    STARTING = "APPLICATION_STARTING"
    RUNNING = "APPLICATION_RUNNING"
    STOPPING = "APPLICATION_STOPPING"
    STOPPED = "APPLICATION_STOPPED"
    FAILED = "APPLICATION_FAILED"

    @classmethod
    def _missing_(cls, _word: object) -> ApplicationStatus:
        return cls.UNKNOWN


class EngineStatus(str, Enum):
    """The states of a job run."""

    UNKNOWN = "ENGINE_UNKNOWN"
    SCHEDULING = "ENGINE_SCHEDULING"
    STARTING = "ENGINE_STARTING"
    RUNNING = "ENGINE_RUNNING"
    STOPPING = "ENGINE_STOPPING"
    STOPPED = "ENGINE_STOPPED"
    SUCCEEDED = "ENGINE_SUCCEEDED"
    FAILED = "ENGINE_FAILED"
    TIMEDOUT = "ENGINE_TIMEDOUT"
    SKIPPED = "ENGINE_SKIPPED"

    @classmethod
    def _missing_(cls, _word: object) -> EngineStatus:
        return cls.UNKNOWN
