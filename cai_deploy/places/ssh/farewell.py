"""Sending home the workers that joined a cluster by themselves, when it goes.

Nobody here can end them: Ray is asked to let each of them go, and each hears of it from Ray. So that it does hear, its
head stays for some seconds after Ray has let go of the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from cai_deploy.access import NoAnswer
from cai_deploy.errors import DeployError
from cai_deploy.places.ssh.members import ADDRESS
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import Node, NodeState, Step

HEARD_WITHIN = 3.0
"""Seconds: some times that at which a joined worker looks whether it was told to leave."""


class Farewell:
    """Those of one run; the head is asked at its ``door``."""

    def __init__(self, door: TokenDoor) -> None:
        self._door = door
        self._told: dict[str, tuple[float, Node]] = {}

    def shown(self, joined: Sequence[Node]) -> tuple[Node, ...]:
        """Those that are still there, among them who may not have heard yet that it is to go."""
        now = time.monotonic()
        there = {node.name: node for node in joined}
        hears = {name: node for name, (at, node) in self._told.items() if now - at < HEARD_WITHIN}
        return tuple(
            replace(node, state=NodeState.STOPPING, ray_state="") if name in self._told else node
            for name, node in {**hears, **there}.items()
        )

    def is_for(self, step: Step, joined: Sequence[Node]) -> Node | None:
        """The worker that a step is to end, None where that is another node."""
        return next((node for node in joined if (node.name, node.native_id) == (step.name, step.native_id)), None)

    def send_home(self, node: Node) -> None:
        """Tell it to go. Raises DeployError when the head cannot be asked."""
        request = node.drain or {}
        try:
            self._door.post_json(request[ADDRESS], request["path"], request["body"])
        except NoAnswer as error:
            raise DeployError(
                f"{node.name} joined by itself, and cannot be told to leave",
                why=str(error),
                next_step=f"run it again; or on the machine at {node.address}: python -m cai_deploy worker leave",
            ) from error
        self._told.setdefault(node.name, (time.monotonic(), node))
