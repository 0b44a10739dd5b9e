"""A cluster's jobs by Ray's own client, made fit for a way that leads over the internet.

Ray's client is made for a dashboard next door: it has no time limits, takes its address from the environment if that
says otherwise, tells failures apart by prose, and its log tail knows neither proxies nor a connection that died
silently. So its one function for requests is replaced here by one that does, and the tail is our own. The only module
that imports Ray, and only when it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import requests

from cai_deploy.access import HOST, Access
from cai_deploy.errors import ConfigError
from cai_deploy.submission.job import Job, last_line
from cai_deploy.submission.jobs import HeadAway, Jobs, JobsRefusal, Member, Refused, Request, no_such_job

CONNECT = 10.0
ANSWER = 60.0
TRANSFER = 900.0
"""Seconds: for a connection, for an answer, and for bringing a package there."""

HEARTBEAT = 15.0
"""Seconds between two signs of life on the tail's connection. Proxies end one on which nothing moves."""

DIVERSIONS = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables that would count for more than our address: our key would go to whomever they name."""

LONGEST_REASON = 300

MEMBERS = "/api/v0/nodes?detail=1"


def open_jobs(access: Access) -> Jobs:
    """The jobs of the cluster behind ``access``. Raises ConfigError where Ray is not installed."""
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise ConfigError(
            "jobs need Ray's client, which is not installed here",
            why=str(error),
            next_step="pip install 'cai-deploy[submit]'",
        ) from error
    logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.WARNING)

    class Client(JobSubmissionClient):  # type: ignore[misc]
        """Ray's client on our way of asking."""

        def __init__(self, way: Way) -> None:
            self._way = way
            super().__init__(access.base_url, headers=dict(access.headers), verify=access.verify)

        def _do_request(self, method: str, endpoint: str, **kwargs: Any) -> requests.Response:
            return self._way.ask(method, endpoint, **kwargs)

        def _raise_error(self, r: requests.Response) -> None:
            raise refusal(r)

    way = Way(access)
    with without_diversions():
        return RayJobs(Client(way), way, access)


class Way:
    """Asks the head's application; ``transfers`` counts the packages that were brought there."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.transfers = 0

    def ask(
        self, method: str, endpoint: str, *, data: bytes | None = None, json_data: Any = None, **kwargs: Any
    ) -> requests.Response:
        """The answer, whatever its status but for those below. Raises HeadAway or Refused."""
        with requests.Session() as session:
            session.auth = _keep  # else ~/.netrc would put its own in place of ours
            if HOST in self._access.headers:
                session.trust_env = False  # this machine: no proxy leads there
            session.verify = self._access.verify
            limit = (CONNECT, ANSWER if data is None else TRANSFER)
            url, headers = self._access.base_url + endpoint, dict(self._access.headers)
            try:
                answer = session.request(
                    method,
                    url,
                    data=data,
                    json=json_data,
                    headers=headers,
                    timeout=limit,
                    allow_redirects=False,
                    **kwargs,
                )
            except requests.RequestException as error:
                raise away(f"no connection, or none that lasted ({type(error).__name__})") from error
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or answer.is_redirect:
            raise _not_let_in(answer.status_code)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:  # a head that is just up has parts that are not
            told = last_line(answer.text) if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR else ""
            raise away(f"status {answer.status_code}{f': {told[:LONGEST_REASON]}' if told else ''}")
        if method == "PUT" and answer.ok:
            self.transfers += 1
        return answer


class RayJobs:
    """The jobs that ``client`` (Ray's JobSubmissionClient) sees. Several threads may use it at once."""

    def __init__(self, client: Any, way: Way, access: Access) -> None:
        self._client = client
        self._way = way
        self._access = access

    def members(self) -> Sequence[Member]:
        """The nodes that are ALIVE."""
        answer = self._way.ask("GET", MEMBERS)
        if not answer.ok:
            raise refusal(answer)
        listed = answer.json()["data"]["result"]["result"]
        return [
            Member(node.get("labels") or {}, node.get("resources_total") or {}, node.get("node_ip") or "")
            for node in listed
            if node.get("state") == "ALIVE"
        ]

    def submit(self, request: Request) -> bool:
        """Have the cluster run it; whether its package had to be brought there."""
        before = self._way.transfers
        runtime_env = dict(request.runtime_env)
        if request.package:
            runtime_env["working_dir"] = str(request.package)
        try:
            self._client.submit_job(
                entrypoint=request.entrypoint,
                submission_id=request.id,
                runtime_env=runtime_env,
                metadata=dict(request.metadata),
                entrypoint_num_cpus=request.num_cpus or None,
                entrypoint_num_gpus=request.num_gpus or None,
                entrypoint_memory=request.memory or None,
                entrypoint_resources=dict(request.resources) or None,
                **({"entrypoint_label_selector": dict(request.on)} if request.on else {}),
            )
        except (ValueError, TypeError) as error:  # what Ray says of a runtime environment that it does not take
            raise ConfigError("Ray does not take the runtime environment", why=last_line(str(error))) from error
        return self._way.transfers > before

    def find(self, job_id: str) -> Job | None:
        """The job as it is now, None when the cluster does not know it."""
        try:
            return to_job(self._client.get_job_info(job_id))
        except StatusRefusal as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def all(self) -> Sequence[Job]:
        """Every job that the cluster remembers."""
        return [to_job(each) for each in self._client.list_jobs()]

    def stop(self, job_id: str) -> None:
        """Ask for its end; it may take a while. Raises NoSuchJob."""
        with known(job_id):
            self._client.stop_job(job_id)

    def output(self, job_id: str) -> str:
        """All that it has written. Raises NoSuchJob."""
        with known(job_id):
            return str(self._client.get_job_logs(job_id))

    async def tail(self, job_id: str) -> AsyncIterator[str]:
        """What it has written from its beginning, and then as it writes, until Ray says that this was all."""
        trust: ssl.SSLContext | bool = True
        if isinstance(self._access.verify, str):
            bundle = Path(self._access.verify)
            trust = ssl.create_default_context(
                cafile=str(bundle) if bundle.is_file() else None, capath=str(bundle) if bundle.is_dir() else None
            )
        url = f"{self._access.base_url}/api/jobs/{job_id}/logs/tail"
        local = HOST in self._access.headers
        limit = aiohttp.ClientTimeout(total=None, connect=CONNECT)
        try:
            async with (
                aiohttp.ClientSession(trust_env=not local, timeout=limit) as session,
                session.ws_connect(
                    url, headers=self._access.headers, ssl=trust, heartbeat=HEARTBEAT, max_msg_size=0
                ) as socket,
            ):
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        yield message.data
                if socket.close_code in (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE):
                    raise away("the connection of the log broke")
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise _not_let_in(error.status) from error
            raise away(f"status {error.status}") from error
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise away(f"the connection of the log broke ({type(error).__name__})") from error


class StatusRefusal(JobsRefusal):
    """A refusal with the HTTP ``status`` that tells its kind."""

    def __init__(self, what: str, *, why: str, status: int) -> None:
        super().__init__(what, why=why)
        self.status = status


def refusal(answer: requests.Response) -> StatusRefusal:
    """What the cluster answered instead. Its last line is the reason; before it comes a traceback of its own."""
    return StatusRefusal(
        f"the cluster answered with status {answer.status_code}", why=last_line(answer.text), status=answer.status_code
    )


@contextlib.contextmanager
def known(job_id: str) -> Iterator[None]:
    """Around a question about one job: a cluster that does not know it raises NoSuchJob."""
    try:
        yield
    except StatusRefusal as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise no_such_job(job_id) from error
        raise


@contextlib.contextmanager
def without_diversions() -> Iterator[None]:
    """While Ray's client is made, the environment names no other cluster."""
    kept = {name: os.environ.pop(name) for name in DIVERSIONS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def to_job(details: Any) -> Job:
    """Ray's JobDetails as our Job."""
    status = details.status
    return Job(
        id=details.submission_id or details.job_id or "",
        status=str(getattr(status, "value", status)),
        entrypoint=details.entrypoint or "",
        message=details.message or "",
        driver_exit_code=details.driver_exit_code,
        started_ms=details.start_time or 0,
        ended_ms=details.end_time or 0,
        submitted=bool(details.submission_id),
        metadata=dict(details.metadata or {}),
    )


def away(why: str) -> HeadAway:
    """The head does not answer, for the reason ``why``."""
    return HeadAway(
        "the cluster's head does not answer",
        why=why,
        next_step="see what it does: python -m cai_deploy status, and why: python -m cai_deploy explain",
    )


def _not_let_in(status: int) -> Refused:
    return Refused(
        "the cluster does not let us in",
        why=f"status {status}",
        next_step="use an API key whose owner may open the project's applications and read its files",
    )


def _keep(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
