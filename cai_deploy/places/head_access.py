"""From what is seen of a cluster to how a client reaches its head, or the reason why none can.

How a door is opened is the place's; that a head which is given to a client has answered just now is the same anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from cai_deploy.access import RAY_AUTHORIZATION, Access, NoAnswer, NotLetIn
from cai_deploy.places.base import HeadRefuses, HeadSilent, NoHead
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import Node, NodeState

ENDED = (NodeState.STOPPING, NodeState.STOPPED, NodeState.FAILED)
"""Of a head that does not come up by itself."""

ASKED = "/api/version"
"""Of Ray's dashboard, which answers here with or without an agent in front of it, and asks for the token."""


@dataclass(frozen=True)
class Words:
    """How a place speaks of its heads: what runs one, and what to do when it refuses us or its token cannot be read."""

    runs_as: str
    when_refused: str
    if_unreadable: str


def access_to_head(
    door: TokenDoor, name: str, head: Node | None, cluster: str, *, needs_token: bool, words: Words
) -> Access:
    """How ``head`` is reached, behind the door called ``name``, "" for one that has yet to say where it is.

    It has answered just now. Raises NoHead otherwise.
    """
    if head is None:
        raise NoHead(f"there is no cluster {cluster} here", next_step="python -m cai_deploy launch")
    if not name:
        raise _silent(head, cluster, "has not said yet where it is", head.reason, words)
    try:
        door.get_json(name, ASKED)
    except NotLetIn as refused:
        raise HeadRefuses(
            f"the head of cluster {cluster} does not let us in", why=str(refused), next_step=words.when_refused
        ) from refused
    except NoAnswer as silent:
        raise _silent(head, cluster, "does not answer", str(silent), words) from silent
    access = door.access(name)
    if needs_token and RAY_AUTHORIZATION not in access.headers:
        raise HeadRefuses(f"the token of cluster {cluster} cannot be read", next_step=words.if_unreadable)
    return access


def _silent(head: Node, cluster: str, what: str, why: str, words: Words) -> HeadSilent:
    error = HeadSilent(
        f"the head of cluster {cluster} {what}; its {words.runs_as} is {head.state.value}",
        why=why,
        next_step="see what it does: python -m cai_deploy status, and why: python -m cai_deploy explain",
    )
    error.retry_helps = head.state not in ENDED
    return error
