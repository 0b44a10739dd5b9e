"""How one reaches the application of a cluster's head from outside: a value that a place makes, and clients use.

It must not know what lies behind the address. The headers carry the platform's key and the cluster's token, so they are
kept out of every text that shows the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cai_deploy.errors import DeployError, Fault

AUTHORIZATION = "Authorization"
RAY_AUTHORIZATION = "X-Ray-Authorization"
HOST = "Host"


class NoAnswer(DeployError):
    """Nothing usable came from where a node should answer: it is not up yet, or gone, or something is in between."""

    fault: Fault = "platform"
    retry_helps = True


class NotLetIn(NoAnswer):
    """It answers, and does not let us in."""

    fault: Fault = "caller"
    retry_helps = False


@dataclass(frozen=True)
class Access:
    """Connect to ``base_url`` (without a slash at its end) and send ``headers`` with each request, websockets included.

    ``verify`` is what a certificate is checked against: a bundle's path, or the usual authorities.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True

    @property
    def url(self) -> str:
        """What a browser is told, where the address to connect to is another. It carries no secret."""
        named = self.headers.get(HOST)
        return f"{urlsplit(self.base_url).scheme}://{named}" if named else self.base_url

    @property
    def websocket_url(self) -> str:
        """``base_url`` for websockets."""
        return f"ws{self.base_url.removeprefix('http')}"
