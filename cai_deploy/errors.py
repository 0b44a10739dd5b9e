"""Every failure a person can meet, with what happened, why, and what to do next.

This is the lowest floor: it must know nothing else of the package, so that every other module may raise from
it. A class says whose fault a failure is, whether trying again can help, and which exit code the command line
answers with; code decides by class and attribute, never by reading the text.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Fault = Literal["caller", "platform", "network"]


class DeployError(Exception):
    """Something did not work. ``what`` failed, ``why``, and the ``next_step`` for the reader."""

    exit_code: ClassVar[int] = 1
    fault: Fault = "caller"
    retry_helps: bool = False

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class ConfigError(DeployError):
    """The specification, an option or the environment is not usable as it stands."""

    exit_code = 2


class NotConverged(DeployError):
    """The deadline passed before the cluster was as wanted; running the same command again goes on."""

    exit_code = 3
    fault: Fault = "platform"
    retry_helps = True


class AuthenticationError(DeployError):
    """The place refused who we are (a missing, wrong or insufficient key)."""

    exit_code = 4


class PlaceUnreachable(DeployError):
    """No answer from the place: a wrong address, a network fault, or the service is down."""

    exit_code = 5
    fault: Fault = "network"
    retry_helps = True


class ConnectionFileError(DeployError):
    """A connection file is missing past its deadline, unreadable, or written by an unknown version."""


class CommandFailed(DeployError):
    """A program that we ran ended with a status other than zero."""

    def __init__(self, command: str, status: int, output_tail: str) -> None:
        super().__init__(f"`{command}` ended with status {status}", why=output_tail)
        self.command = command
        self.status = status
        self.output_tail = output_tail
