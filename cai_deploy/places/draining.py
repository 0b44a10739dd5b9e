"""Asking Ray, through the head's agent, to move work off a node; and remembering that it was asked.

Ray's own view of its nodes may be a moment behind what it agreed to. Somebody who chose the next node to remove from
such a view would choose another one each time, and drain them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cai_deploy.access import NoAnswer
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import ALIVE, DRAINING, Node, Step


class Drains:
    """The drains that one run asked for. ``say`` is told of a node that has to go without.

    ``named_by`` is under which key a request has the name of the head's door.
    """

    def __init__(self, door: TokenDoor, say: Callable[[str], None], named_by: str) -> None:
        self._door = door
        self._named_by = named_by
        self._say = say
        self._agreed: set[str] = set()
        self._refused: set[str] = set()

    def ask(self, step: Step) -> None:
        """Send the request of a drain step. A node that cannot be drained is stopped as it is."""
        request = step.request or {}
        try:
            answer = self._door.post_json(request[self._named_by], request["path"], request["body"])
            accepted, why = answer.get("accepted") is True, str(answer.get("why", ""))
        except NoAnswer as error:
            accepted, why = False, str(error)
        if accepted:
            self._agreed.add(step.name)
        else:
            self._refused.add(step.name)
            self._say(f"{step.name} cannot be drained ({why}); it is stopped with the work that it has")

    def over(self, name: str) -> None:
        """The node is started anew, or gone."""
        self._agreed.discard(name)
        self._refused.discard(name)

    def shown(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """``nodes`` as they are after what Ray agreed to."""
        return tuple(self._shown(node) for node in nodes)

    def _shown(self, node: Node) -> Node:
        if node.name in self._agreed and node.ray_state == ALIVE:
            return replace(node, ray_state=DRAINING)
        return replace(node, drain=None) if node.name in self._refused else node
