"""A wire through Cloudera's generated client, ``cmlapi``, for whoever must or wants to send all calls through it.

The client is asked for the bare HTTP answer, so that retries, errors and redaction are the transport's as ever. It is
imported here alone, and only when somebody asks for it. This module must not know any path of the API.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies, select_proxy

from cai_deploy.api.wire import Files
from cai_deploy.errors import ConfigError


class CmlapiWire:
    """Sends requests through one ``cmlapi.ApiClient``, which holds the address, the key, the CA and the proxy."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        files: Files | None = None,
        timeout: float | None = None,
        verify: object = None,  # noqa: ARG002 (the client's own setting)
        allow_redirects: bool = True,  # noqa: ARG002 (the client follows none)
    ) -> requests.Response:
        """The answer, whatever its status. Raises requests.RequestException when there is none."""
        from cmlapi.rest import ApiException

        with tempfile.TemporaryDirectory(prefix="cai-deploy-") as scratch:
            how = {
                "query_params": list((params or {}).items()),
                "header_params": {"Accept": "application/json", **_kind(json, files), **(headers or {})},
                "body": json,
                "files": _written(files or {}, Path(scratch)),
                "_preload_content": False,
                "_return_http_data_only": True,
                "_request_timeout": timeout,
            }
            try:
                told = self._client.call_api(urlsplit(url).path, method, **how)
            except ApiException as refused:
                if not refused.status:
                    raise broken(refused) from refused
                return answer(method, url, refused.status, refused.headers, refused.body)
            except (OSError, urllib3.exceptions.HTTPError) as error:
                raise broken(error) from error
        return answer(method, url, told.status, _headers(told), told.data)


def open_wire(host: str, key: str, *, verify: bool | str, proxy: str = "") -> CmlapiWire:
    """A wire to the workspace at ``host``. Raises ConfigError when ``cmlapi`` is not installed."""
    try:
        import cmlapi
    except ModuleNotFoundError as missing:
        if missing.name != "cmlapi":
            raise
        raise ConfigError(
            "the transport cmlapi needs Cloudera's client, which is not installed",
            next_step=f"pip install {host}/api/v2/python.tar.gz, or leave --transport out",
        ) from missing
    configuration = cmlapi.Configuration()
    configuration.host = host
    configuration.verify_ssl = verify is not False
    configuration.ssl_ca_cert = verify if isinstance(verify, str) else None
    configuration.proxy = proxy or select_proxy(host, get_environ_proxies(host))
    client = cmlapi.ApiClient(configuration)
    client.set_default_header("authorization", f"Bearer {key}")
    return CmlapiWire(client)


def answer(
    method: str, url: str, status: int, headers: Mapping[str, str] | None, body: bytes | str | None
) -> requests.Response:
    """What the client brought, in the form in which the transport reads answers."""
    told = requests.Response()
    told.status_code = status
    told.headers = CaseInsensitiveDict(headers or {})
    told.raw = BytesIO(body.encode() if isinstance(body, str) else body or b"")
    told.url = url
    told.request = requests.Request(method, url).prepare()
    return told


def broken(error: BaseException) -> requests.RequestException:
    """The error that requests has for the same misfortune."""
    causes = list(_causes(error))
    for kind, ours in (
        (ssl.SSLError, requests.exceptions.SSLError),
        (urllib3.exceptions.SSLError, requests.exceptions.SSLError),
        (urllib3.exceptions.ProxyError, requests.exceptions.ProxyError),
        (TimeoutError, requests.exceptions.Timeout),
        (urllib3.exceptions.TimeoutError, requests.exceptions.Timeout),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return ours()
    return requests.exceptions.ConnectionError()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _headers(told: Any) -> Mapping[str, str]:
    """Of an answer of urllib3, which the platform's own client hands over, or of one that has a method for them."""
    headers: Mapping[str, str] = told.headers if hasattr(told, "headers") else told.getheaders()
    return headers


def _kind(json: object, files: Files | None) -> dict[str, str]:
    if files:
        return {"Content-Type": "multipart/form-data"}
    return {} if json is None else {"Content-Type": "application/json"}


def _written(files: Files, scratch: Path) -> dict[str, str]:
    """The client takes files by their paths alone."""
    paths = {}
    for number, (part, (name, content, _)) in enumerate(files.items()):
        file = scratch / str(number) / name
        file.parent.mkdir()
        file.write_bytes(content)
        paths[part] = str(file)
    return paths
