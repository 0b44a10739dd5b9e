"""What a machine that joins has to know, as the head tells it at its HTTP port to whoever has the cluster's token.

It does not decide what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cai_deploy import layout
from cai_deploy.access import NoAnswer, NotLetIn
from cai_deploy.connection import ConnectionInfo, from_fields
from cai_deploy.errors import AuthenticationError, DeployError, PlaceUnreachable
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.places.direct_http import DirectHttp
from cai_deploy.places.ray_status import AGENT_PATH, DRAIN_PATH, FILES_PATH
from cai_deploy.places.ssh.own_network import step_to_reach, why_unreached
from cai_deploy.places.written import parse_applied
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import ALIVE

HEAD_PORT = 8100
"""The first that a head on a host takes for its HTTP."""


class HeadNotReached(PlaceUnreachable):
    """Nobody answers at the head's HTTP port."""


class NoEntry(AuthenticationError):
    """The head wants another token than was shown, or any at all."""


@dataclass(frozen=True)
class Invitation:
    """The cluster of one head. ``nodes`` are the addresses of those that live, by name.

    ``requirements`` is the text of its lock file.
    """

    connection: ConnectionInfo
    spec: ClusterSpec
    requirements: str
    nodes: Mapping[str, str]


@dataclass(frozen=True)
class HeadDoor:
    """The head's HTTP port at ``address`` (``host:port``), opened with ``token``, "" for none."""

    address: str
    token: str = field(repr=False)

    @property
    def host(self) -> str:
        """The machine that it is on."""
        return self.address.rpartition(":")[0]

    def invitation(self) -> Invitation:
        """All that is needed to join. Raises HeadNotReached, NoEntry; NotPossibleHere for a head of another place."""
        told = self._ask("GET", AGENT_PATH)
        if not told.get("connection"):
            raise HeadNotReached(f"the head at {self.address} is still starting", next_step="try again in a moment")
        connection = from_fields(told["connection"], source=f"the head at {self.address}")
        applied, locked = layout.applied_spec_file(connection.cluster), layout.locked_file(connection.cluster)
        files = self._ask("POST", FILES_PATH, {"paths": [applied, locked]}).get("files") or {}
        spec, requirements = parse_applied(files.get(applied)), files.get(locked)
        if spec is None or spec.place != "ssh" or not requirements:
            raise NotPossibleHere(
                f"no worker joins by itself the cluster {connection.cluster}, whose head is at {self.address}",
                why=f"its nodes are on {spec.place}, which brings them" if spec else "its head has no specification",
                next_step="use `scale`; with `place: ssh` and `hosts`, machines of yours may join",
            )
        return Invitation(connection, spec, requirements, _alive(told))

    def ray_state(self, node: str) -> str:
        """What the head says of a node now; "" for one that Ray does not list."""
        listed = [each for each in self._ask("GET", AGENT_PATH).get("nodes") or () if each.get("name") == node]
        states = [str(each.get("state", "")) for each in listed]
        return ALIVE if ALIVE in states else next(iter(states[-1:]), "")

    def drain(self, node: str, seconds: float) -> bool:
        """Have Ray move work off a node within so many seconds; whether it agrees."""
        body = {"node": node, "deadline_seconds": seconds, "reason": "it leaves the cluster"}
        return self._ask("POST", DRAIN_PATH, body).get("accepted") is True

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        http = DirectHttp()
        try:
            if method == "GET":
                return http.get_json(self.address, path, token=self.token)
            return http.post_json(self.address, path, body or {}, token=self.token)
        except NotLetIn as error:
            raise NoEntry(
                f"the head at {self.address} does not let this machine in",
                why="the token is another cluster's, or an old one" if self.token else "it wants the cluster's token",
                next_step="have somebody who may use the cluster run `worker invite --token-file FILE`, and bring "
                "that file here: --token-file FILE",
            ) from error
        except NoAnswer as error:
            raise HeadNotReached(
                f"the head at {self.address} does not answer",
                why=why_unreached(self.host) or error.why,
                next_step=step_to_reach(self.host),
            ) from error


def parse_head(text: str) -> str:
    """``host:port`` of what a person calls the head. Raises DeployError."""
    host, colon, port = text.strip().rpartition(":")
    host, port = (host, port) if colon else (port, str(HEAD_PORT))
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise DeployError(f"--head {text} is no HOST or HOST:PORT", next_step="for example --head 100.64.0.1")
    return f"{host}:{port}"


def _alive(told: Mapping[str, Any]) -> dict[str, str]:
    nodes = [each for each in told.get("nodes") or () if isinstance(each, dict)]
    return {str(node["name"]): str(node.get("address", "")) for node in nodes if node.get("state") == ALIVE}
