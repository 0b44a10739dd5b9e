"""The clusters that this machine has joined: each has a directory below the person's home, which says all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy import layout
from cai_deploy.access import NoAnswer
from cai_deploy.clock import Clock
from cai_deploy.errors import DeployError
from cai_deploy.node import host_control
from cai_deploy.node.host_boot_entry import take_away
from cai_deploy.node.host_files import remove
from cai_deploy.node.host_processes import boot, lives
from cai_deploy.node.host_records import records
from cai_deploy.places.direct_http import DirectHttp
from cai_deploy.places.ssh.boot_entries import answered
from cai_deploy.places.ssh.invitation import HeadDoor
from cai_deploy.places.ssh.records import record_of
from cai_deploy.places.ssh.states import state_of
from cai_deploy.shell import last_lines
from cai_deploy.state import ALIVE, NodeState

PREFIX = ".cai-deploy-joined-"
LOOK = 0.5
TIMEOUT = (1.0, 2.0)
LOG_LINES = 8


class NotJoined(DeployError):
    """The worker did not become a node of its cluster."""


class StillThere(DeployError):
    """A worker that was told to end did not."""


@dataclass(frozen=True)
class Joined:
    """A worker of this machine, in ``directory``. ``told`` is its record as the keeper wrote it down."""

    directory: Path
    cluster: str
    told: dict[str, Any]

    @property
    def node(self) -> str:
        """What it is called."""
        return str(self.told["node"])

    @property
    def shape(self) -> str:
        """A digest of all that it was started with."""
        return str(self.told.get("fingerprint", ""))

    @property
    def address(self) -> str:
        """Where the others reach it."""
        return str(self.told.get("address", ""))

    @property
    def door(self) -> HeadDoor:
        """Its head."""
        token = self.directory / layout.token_file(self.cluster)
        return HeadDoor(str(self.told.get("head", "")), token.read_text("ascii").strip() if token.is_file() else "")

    @property
    def lives(self) -> bool:
        """Whether its keeper is there."""
        return lives(self.told)

    def state(self) -> tuple[NodeState, str]:
        """How its process is, and why."""
        record = {**self.told, "lives": self.lives, "same_boot": self.told.get("boot") == boot()}
        return state_of(record_of(record))

    def does(self) -> str:
        """What it says of itself, as ``joining`` or ``running``; "" where it says nothing."""
        try:
            answer = DirectHttp(timeout=TIMEOUT).get_json(f"127.0.0.1:{self.told['port']}", "/")
        except NoAnswer:
            return ""
        return str(answer.get("state", "")) if answer.get("node") == self.node else ""

    def last_words(self) -> str:
        """The end of what it wrote."""
        for path in (layout.node_log_file(self.cluster, self.node), layout.job_output_file(self.cluster, self.node)):
            file = self.directory / path
            if file.is_file() and (text := file.read_text(encoding="utf-8", errors="replace").strip()):
                return last_lines(text, LOG_LINES)
        return ""


def directory_of(home: Path, cluster: str) -> Path:
    """Where all stands that this machine has of a cluster."""
    return home / f"{PREFIX}{cluster}"


def joined(home: Path) -> Iterator[Joined]:
    """All of them, by the names of their clusters."""
    for directory in sorted(home.glob(f"{PREFIX}*")):
        cluster = directory.name.removeprefix(PREFIX)
        for told in records(directory, cluster):
            yield Joined(directory, cluster, told)


def unfinished(home: Path) -> Iterator[tuple[str, Path]]:
    """The clusters that this machine began to join and has no worker of, each with what is there of it."""
    for directory in sorted(home.glob(f"{PREFIX}*")):
        cluster = directory.name.removeprefix(PREFIX)
        if not records(directory, cluster):
            yield cluster, directory


def wait_until_in(home: Path, cluster: str, seconds: float, clock: Clock) -> Joined:
    """The worker that has just been started, once Ray lists it. Raises NotJoined when it ends, or within no time."""
    end = clock.now() + seconds
    while True:
        here = next((each for each in joined(home) if each.cluster == cluster), None)
        if here is None:
            raise NotJoined("the worker has left again", next_step="is the cluster being taken down?")
        state, reason = here.state()
        if state is NodeState.FAILED:
            raise NotJoined(
                f"{here.node} did not join", why=_story(reason, here), next_step="worker join, once it is mended"
            )
        if state is NodeState.RUNNING and here.door.ray_state(here.node) == ALIVE:
            return here
        if clock.now() > end:
            raise NotJoined(
                f"{here.node} has not joined after {seconds:.0f} seconds",
                why=_story("it still tries", here),
                next_step="see whether it does: worker status; or end it: worker leave",
            )
        clock.sleep(LOOK)


def leave(here: Joined, drain: float, clock: Clock, say: Callable[[str], None]) -> None:
    """End it after its work, or after ``drain`` seconds, and take away all that it has here. Raises StillThere."""
    forget_boot(here.cluster, here.directory, say)  # it may be gone with all it has before we look again
    if here.lives and _asked_to_drain(here, drain, say):
        end = clock.now() + drain + float(here.told.get("stop_timeout", 0.0))
        while here.lives and clock.now() < end:
            clock.sleep(LOOK)
    _stop(here, clock)
    clear(here.cluster, here.directory)


def clear(cluster: str, directory: Path) -> None:
    """Take away what is there of a cluster. Raises StillThere for what is not ours."""
    remove(directory, {"cluster": cluster, "paths": [file.name for file in directory.glob("*.py")], "kept": []})
    if directory.exists():
        raise StillThere(f"{directory} is not empty", next_step="look what is in it, and remove it by hand")


def forget_boot(cluster: str, directory: Path, say: Callable[[str], None]) -> None:
    """Take away what would have this machine join again when it boots. Raises NoBootEntry."""
    for entry in answered("this machine", take_away(directory, {"cluster": cluster}))["gone"]:
        say(f"{entry} is gone: this machine does not join again when it boots")


def _asked_to_drain(here: Joined, seconds: float, say: Callable[[str], None]) -> bool:
    try:
        if here.door.drain(here.node, seconds):
            say(f"{here.node} takes no new work; it ends with what it has, or in {seconds:.0f} s")
            return True
        say(f"{here.node} cannot be drained; it is ended with the work that it has")
    except DeployError as error:
        say(f"{here.node} cannot be drained ({error}); it is ended with the work that it has")
    return False


def _stop(here: Joined, clock: Clock) -> None:
    seconds = float(here.told.get("stop_timeout", 0.0))
    request = {"cluster": here.cluster, "node": here.node, "keeper": _keeper(here), "seconds": seconds}
    end = clock.now() + 2 * seconds + 10
    while clock.now() < end:
        try:
            if host_control.stop(here.directory, request)["gone"]:
                return
        except FileNotFoundError:  # it took itself away meanwhile
            return
        clock.sleep(LOOK)
    raise StillThere(f"{here.node} does not end: process {here.told.get('pid')}", why=here.last_words())


def _keeper(here: Joined) -> str:
    return str(here.told["keeper"])


def _story(reason: str, here: Joined) -> str:
    return "\n".join(filter(None, (reason, here.last_words())))
