"""What Docker does when it does not do what it was asked, as classes to decide by.

Docker's own words are quoted for people and never read: a class follows from an exit code, a file, or a second look.
"""

from __future__ import annotations

from cai_deploy.errors import CommandFailed, DeployError, Fault, PlaceUnreachable
from cai_deploy.places.base import NotPossibleHere

HEAD_ON_IT = "`compose.address` puts the head on it"
"""Why :class:`OnlyItsOwnNetwork` is said of a specification."""


class NoDocker(PlaceUnreachable):
    """Docker's command is not on this machine."""

    retry_helps = False

    def __init__(self) -> None:
        super().__init__(
            "there is no Docker on this machine: docker was not found",
            next_step="install Docker with its Compose plugin, or run this where they are",
        )


class NoCompose(PlaceUnreachable):
    """Docker is here without Compose."""

    retry_helps = False

    def __init__(self, why: str) -> None:
        super().__init__(
            "there is no Docker Compose on this machine: neither `docker compose` nor `docker-compose` answers",
            why=why,
            next_step="install Docker's Compose plugin (the package docker-compose-plugin)",
        )


class TooOld(PlaceUnreachable):
    """It is here, in a version that lacks what we need."""

    retry_helps = False

    def __init__(self, what: str, version: str, needed: str) -> None:
        super().__init__(f"{what} {version} is too old", next_step=f"install {what} {needed} or newer")


class EngineSilent(PlaceUnreachable):
    """Docker's engine does not answer."""

    def __init__(self, where: str, why: str, rootless: str = "") -> None:
        start = "start it (systemctl start docker), or see DOCKER_HOST and `docker context ls`"
        super().__init__(
            f"Docker's engine does not answer at {where}", why=why, next_step=_turn_to(rootless) if rootless else start
        )


class NotAllowed(PlaceUnreachable):
    """The engine's socket is closed to us."""

    exit_code = 4
    retry_helps = False

    def __init__(self, socket: str, rootless: str = "") -> None:
        join = "have yourself added to its group (usermod --append --groups docker YOU), or use rootless Docker"
        super().__init__(
            f"you may not use Docker's engine: {socket} is closed to you",
            next_step=_turn_to(rootless) if rootless else join,
        )


class OnlyItsOwnNetwork(NotPossibleHere):
    """What needs the network of this machine was asked of a rootless engine."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "a rootless engine gives no container the network of this machine",
            why=f"{what}, and other machines would not reach it",
            next_step="use the machine's own engine for this (docker context use default, or DOCKER_HOST)",
        )


class NoHeadThere(PlaceUnreachable):
    """No head is reached from this machine that a worker here could join."""

    def __init__(self, head_ip: str, port: int) -> None:
        super().__init__(
            f"no head is reached at {head_ip}:{port}",
            next_step="launch it there first, with that `compose.address`; or let this machine through to its ports",
        )


class DockerRefused(DeployError):
    """Docker answered, and did not do it. ``why`` is in its own words."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why=why, next_step="correct what Docker names, then run the same command again")


class UnreadableAnswer(DeployError):
    """Docker answered with something that is not what its commands promise."""

    fault: Fault = "platform"

    def __init__(self, command: str, why: str) -> None:
        super().__init__(
            f"the answer of `{command}` is not readable",
            why=why,
            next_step="see whether docker is Docker's own program",
        )


def said(failed: CommandFailed) -> str:
    """What a command said as it failed."""
    return failed.output_tail or f"{failed.command.split()[0]} ended with status {failed.status} and said nothing"


def _turn_to(address: str) -> str:
    socket = address.removeprefix("unix://")
    return f"your own engine, a rootless one, is at {socket}: export DOCKER_HOST={address}"
