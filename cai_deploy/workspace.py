"""A workspace and the key to it, as a value from which everything that talks to it is opened.

It is made from the environment, from an address and a key, or from Cloudera's own client. It must not know what is
wanted of a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.http_session import normalise_host, open_session, trusted, usable_key
from cai_deploy.api.transport import PARALLELISM, Transport
from cai_deploy.config import WorkspaceTarget
from cai_deploy.errors import ConfigError

TransportName = Literal["requests", "cmlapi"]
VARIABLE = "CAI_DEPLOY_TRANSPORT"
BEARER = "bearer "


@dataclass(frozen=True)
class Workspace:
    """Where it is, the key, and how it is reached.

    ``ca_bundle`` is a file of certificate authorities, False for none at all, None for what the environment says;
    ``proxy`` counts instead of the environment's. ``transport`` is what sends the calls of its API: requests, or
    Cloudera's client ``cmlapi``, which has to be installed then.

    >>> import cmlapi  # doctest: +SKIP
    >>> mine = Workspace.from_cmlapi(cmlapi.default_client())  # doctest: +SKIP
    >>> Cluster.launch(workspace=mine, workers=2)  # doctest: +SKIP
    """

    host: str
    api_key: str = field(repr=False)
    project_id: str | None = None
    ca_bundle: str | bool | None = None
    proxy: str = field(default="", repr=False)
    transport: TransportName = "requests"
    found_in: str = "the program"

    @classmethod
    def of(cls, target: WorkspaceTarget, environ: Mapping[str, str]) -> Workspace:
        """The workspace that the environment names, by the transport that it names. Raises ConfigError."""
        named = environ.get(VARIABLE, "").strip() or "requests"
        if named not in get_args(TransportName):
            raise ConfigError(
                f"{VARIABLE}={named} names no transport", next_step=f"use one of {', '.join(get_args(TransportName))}"
            )
        transport = cast(TransportName, named)
        return cls(target.host, target.api_key, target.project_id, transport=transport, found_in=target.found_in)

    @classmethod
    def from_cmlapi(
        cls, client: Any, *, project_id: str | None = None, transport: TransportName = "requests"
    ) -> Workspace:
        """The workspace that ``client`` talks to, with its address, key, certificate authorities and proxy.

        ``client`` is what ``cmlapi.default_client()`` gives, or an ``ApiClient``. Raises ConfigError for anything else,
        and AuthenticationError when it holds no key.
        """
        inner = getattr(client, "api_client", client)
        configuration = getattr(inner, "configuration", None)
        if configuration is None or not hasattr(inner, "default_headers"):
            raise ConfigError(
                f"a {type(client).__name__} is no client of cmlapi",
                next_step="give what cmlapi.default_client() returns",
            )
        return cls(
            normalise_host(configuration.host),
            usable_key(_key_of(inner, configuration)),
            project_id,
            (configuration.ssl_ca_cert or None) if configuration.verify_ssl else False,
            configuration.proxy or "",
            transport,
            "a client of cmlapi",
        )

    def client(self, *, parallelism: int = PARALLELISM, attempts: int = 4) -> Client:
        """Its API. Raises ConfigError or AuthenticationError for what cannot be used."""
        host, verify = normalise_host(self.host), trusted(self.ca_bundle)
        if self.transport == "cmlapi":
            from cai_deploy.api.cmlapi_wire import open_wire  # for whoever asks for it

            wire: Any = open_wire(host, usable_key(self.api_key), verify=verify, proxy=self.proxy)
        else:
            wire = open_session(self.api_key, connections=parallelism, proxy=self.proxy)
        return Client(
            Transport(host, self.api_key, parallelism=parallelism, ca_bundle=verify, wire=wire, attempts=attempts)
        )

    def door(self) -> ApplicationHttp:
        """Its applications' own URLs, which are no part of the API."""
        return ApplicationHttp(self.host, self.api_key, ca_bundle=self.ca_bundle, proxy=self.proxy)


def _key_of(client: Any, configuration: Any) -> str:
    """The key, wherever such clients keep it: in the header that each call has, or in the configuration."""
    headers = {name.lower(): value for name, value in client.default_headers.items()}
    value = str(headers.get("authorization") or configuration.api_key.get("Authorization") or "")
    return value[len(BEARER) :] if value.lower().startswith(BEARER) else value
