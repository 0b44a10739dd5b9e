"""What Slurm's commands do when they do not do what they were asked, as classes to decide by.

Slurm's own words are quoted for people and never read: a class follows from an exit code, a field, or a second look.
"""

from __future__ import annotations

from collections.abc import Collection

from cai_deploy.errors import CommandFailed, DeployError, Fault, PlaceUnreachable


class NoSlurm(PlaceUnreachable):
    """Slurm's commands are not on this machine."""

    retry_helps = False

    def __init__(self, command: str) -> None:
        super().__init__(
            f"there is no Slurm on this machine: {command} was not found",
            next_step="run this on a login node of the cluster, or load its Slurm module first",
        )


class ControllerSilent(PlaceUnreachable):
    """Slurm's controller does not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "Slurm's controller does not answer",
            why=why,
            next_step="see what `scontrol ping` says, and SLURM_CONF if it is set; then run the same command again",
        )


class SlurmRefused(DeployError):
    """Slurm answered, and did not do it. ``why`` is in its own words."""

    advice = "correct what Slurm names, then run the same command again"

    def __init__(self, what: str, why: str, advice: str = "") -> None:
        super().__init__(what, why=why, next_step=advice or self.advice)


class InvalidPartition(SlurmRefused):
    """There is no such partition here."""

    def __init__(self, partition: str, known: Collection[str], why: str) -> None:
        there = ", ".join(sorted(known)) or "none that you may see"
        super().__init__(f"there is no partition {partition}", why, f"choose one that is there: {there}")


class InvalidAccount(SlurmRefused):
    """The user has no such account here."""

    def __init__(self, account: str, known: Collection[str], why: str) -> None:
        yours = ", ".join(sorted(known))
        super().__init__(f"there is no account {account} for you", why, f"choose one of yours: {yours}")


class UnreadableAnswer(DeployError):
    """Slurm answered with something that is not what its commands promise."""

    fault: Fault = "platform"

    def __init__(self, command: str, why: str) -> None:
        super().__init__(
            f"the answer of {command} is not readable",
            why=why,
            next_step="Slurm 21.08 or newer is needed, with its JSON plugin",
        )


def said(failed: CommandFailed) -> str:
    """What a command said as it failed."""
    return failed.output_tail or f"{failed.command.split()[0]} ended with status {failed.status} and said nothing"
