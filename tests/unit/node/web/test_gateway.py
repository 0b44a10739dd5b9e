"""The gateway in front of a dashboard and a Serve of our own making, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cai_deploy.node.gcs import RayNode
from cai_deploy.node.web.body import Refused
from cai_deploy.node.web.gateway import Gateway, OwnAnswers, PortRefused
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.ways import Ways
from tests.free_ports import free_port
from tests.unit.node.fake_gcs import FakeGcs

OPEN = Guard("")
PIECE = b"x" * 100_000


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    told = {f"Got-{name}": value for name, value in request.headers.items()}
    return web.Response(body=body, status=201, headers={"X-Path": request.raw_path, "X-Method": request.method, **told})


async def shout(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse(protocols=["loud"], autoping=False)
    await answer.prepare(request)
    async for message in answer:
        if message.type is aiohttp.WSMsgType.PING:
            await answer.pong(message.data + b"!")
        elif message.data == "go":
            await answer.close(code=4001)
        else:
            await answer.send_str(message.data.upper())
    return answer


class Behind:
    """What stands behind a gateway, and what it saw."""

    def __init__(self) -> None:
        self.written = 0
        self.left = asyncio.Event()
        self.first = asyncio.Event()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=0)
        application.router.add_get("/shout", shout)
        application.router.add_get("/endless", self.endless)
        application.router.add_get("/broken", self.broken)
        application.router.add_get("/dies", self.dies)
        application.router.add_get("/packed", self.packed)
        application.router.add_post("/digest", self.digest)
        application.router.add_get("/elsewhere", self.elsewhere)
        application.router.add_route("*", "/{path:.*}", echo)
        return application

    async def endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(PIECE)
                self.written += len(PIECE)
                self.first.set()
        finally:
            self.left.set()

    async def broken(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport
        request.transport.abort()
        return answer

    async def dies(self, request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def packed(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})

    async def digest(self, request: web.Request) -> web.StreamResponse:
        sum_ = hashlib.sha256()
        async for piece in request.content.iter_any():
            sum_.update(piece)
        return web.Response(text=f"{sum_.hexdigest()} {request.headers.get('Content-Length')}")

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": f"http://{request.host}/there/"})


@asynccontextmanager
async def gateway(
    describe: Any = dict, act: Any = dict, guard: Guard = OPEN, behind: Behind | None = None, **own: Any
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A dashboard that is Serve too, a gateway before it, and a client of both."""
    runner = web.AppRunner((behind or Behind()).application(), handler_cancellation=True, auto_decompress=False)
    await runner.setup()
    inner, outer = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", inner).start()
    base = f"http://127.0.0.1:{inner}"
    answers = OwnAnswers({"/cai-deploy/nodes": describe}, {"/cai-deploy/drain": act}, **own)
    ours = Gateway("ray", Ways(base, base, guard), answers, guard)
    await asyncio.to_thread(ours.serve, outer)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session, f"http://127.0.0.1:{outer}"
    await runner.cleanup()


def test_requests_pass_whole() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            body = b"x" * 3_000_000
            async with client.put(f"{url}/api/a%2Fb?q=1%202", data=body) as answer:
                assert answer.status == 201
                assert answer.headers["X-Method"] == "PUT"
                assert answer.headers["X-Path"] == "/api/a%2Fb?q=1%202"
                assert await answer.read() == body
            async with client.head(f"{url}/x") as answer:
                assert (answer.status, answer.headers["X-Method"]) == (201, "HEAD")
            async with client.options(f"{url}/x") as answer:
                assert (answer.status, answer.headers["X-Method"]) == (201, "OPTIONS")

    asyncio.run(check())


@pytest.mark.parametrize(
    ("asked", "seen", "prefix"),
    [
        ("/dashboard/", "/", "/dashboard"),
        ("/dashboard/api/x?y=%2F", "/api/x?y=%2F", "/dashboard"),
        ("/dashboardx", "/dashboardx", None),
        ("/serve/", "/", "/serve"),
        ("/serve/a/../b%2e%2e/", "/a/../b%2e%2e/", "/serve"),
        ("/serve//a", "//a", "/serve"),
        ("/serve/serve/a", "/serve/a", "/serve"),
        ("/%73erve/a", "/%73erve/a", None),
        ("/logs/x", "/logs/x", None),
    ],
)
def test_which_way_a_path_goes(asked: str, seen: str, prefix: str | None) -> None:
    async def check() -> None:
        async with gateway() as (client, url), client.get(aiohttp.client.URL(url + asked, encoded=True)) as answer:
            assert answer.headers["X-Path"] == seen
            assert answer.headers.get("Got-X-Forwarded-Prefix") == prefix

    asyncio.run(check())


def test_pages_stand_in_directories() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            for name in ("dashboard", "serve"):
                answer = await client.get(f"{url}/{name}", allow_redirects=False)
                assert (answer.status, answer.headers["Location"]) == (308, f"{name}/")
            answer = await client.get(f"{url}/serve/elsewhere", allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (307, "/serve/there/")

    asyncio.run(check())


def test_what_serve_gets_to_see() -> None:
    async def check() -> None:
        async with gateway(guard=Guard("right")) as (client, url):
            sent = {"X-Ray-Authorization": "Bearer right", "Authorization": "Bearer key"}
            sent |= {"Cookie": "ray-authentication-token=right; a=1"}
            async with client.get(f"{url}/serve/x", headers=sent) as answer:
                got = {name: value for name, value in answer.headers.items() if name.startswith("Got-")}
                assert not [value for value in got.values() if "right" in value or "key" in value]
                assert got["Got-Cookie"] == "a=1"
                assert got["Got-Host"] == url.removeprefix("http://")
            async with client.get(f"{url}/x", headers=sent) as answer:
                assert answer.headers["Got-X-Ray-Authorization"] == "Bearer right"
                assert "Got-Authorization" not in answer.headers

    asyncio.run(check())


def test_bodies_are_not_unpacked() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            async with client.get(f"{url}/packed") as answer:
                assert (answer.headers["Content-Encoding"], await answer.read()) == ("gzip", b"hello")
                length = answer.headers["Content-Length"]
            async with client.head(f"{url}/packed") as answer:
                assert (answer.headers["Content-Length"], await answer.read()) == (length, b"")
            packed = gzip.compress(b"hello")
            async with client.post(f"{url}/x", data=packed, headers={"Content-Encoding": "gzip"}) as answer:
                assert await answer.read() == packed

    asyncio.run(check())


def test_an_answer_without_a_type_stays_so() -> None:
    async def bare(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async def check() -> None:
        port = free_port()
        async with await asyncio.start_server(bare, "127.0.0.1", 0) as server:
            behind = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await asyncio.to_thread(Gateway("ray", Ways(behind, behind, OPEN), OwnAnswers(), OPEN).serve, port)
            async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/x") as answer:
                assert (answer.reason, await answer.read()) == ("Fine", b"hi")
                assert "Content-Type" not in answer.headers

    asyncio.run(check())


def test_a_big_upload_arrives_with_its_length_and_without() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield PIECE

    async def check() -> None:
        whole = PIECE * 300
        sum_ = hashlib.sha256(whole).hexdigest()
        async with gateway() as (client, url):
            async with client.post(f"{url}/serve/digest", data=whole) as answer:
                assert await answer.text() == f"{sum_} {len(whole)}"
            async with client.post(f"{url}/serve/digest", data=pieces()) as answer:
                assert await answer.text() == f"{sum_} None"

    asyncio.run(check())


def test_who_reads_slowly_slows_down_and_who_leaves_ends_it() -> None:
    async def check() -> None:
        behind = Behind()
        async with gateway(behind=behind) as (client, url):
            async with client.get(f"{url}/endless") as answer:
                assert (await answer.content.readexactly(len(PIECE))) == PIECE
                before = -1
                while behind.written != before:  # until every buffer on the way is full
                    before = behind.written
                    await asyncio.sleep(0.3)
                assert behind.written < 50_000_000
                assert not behind.left.is_set()
            await asyncio.wait_for(behind.left.wait(), 10)

    asyncio.run(check())


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            async with client.get(f"{url}/broken") as answer:
                with pytest.raises(aiohttp.ClientError):
                    await answer.read()
            answer = await client.get(f"{url}/dies")
            assert answer.status == HTTPStatus.BAD_GATEWAY
            assert "broke off" in (await answer.json())["error"]

    asyncio.run(check())


def test_websockets_are_joined() -> None:
    async def check() -> None:
        async with (
            gateway() as (client, url),
            client.ws_connect(f"{url}/serve/shout", protocols=["loud"], autoping=False, autoclose=False) as joined,
        ):
            assert joined.protocol == "loud"
            await joined.send_str("hello")
            assert (await joined.receive(timeout=5)).data == "HELLO"
            await joined.ping(b"p")
            pong = await joined.receive(timeout=5)
            assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"p!"), "it comes from behind"
            await joined.send_str("go")
            assert (await joined.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
            assert joined.close_code == 4001

    asyncio.run(check())


def test_a_websocket_that_is_refused() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{url}/no-websocket")
            assert refused.value.status == 201

    asyncio.run(check())


def test_our_own_answers() -> None:
    def nodes() -> Mapping[str, Any]:
        return {"epoch": 3, "nodes": [{"name": "head", "state": "ALIVE"}]}

    def broken() -> Mapping[str, Any]:
        raise RuntimeError("the GCS is away")

    async def check() -> None:
        async with gateway(nodes) as (client, url):
            assert await (await client.get(f"{url}/cai-deploy/nodes")).json() == nodes()
            assert (await client.get(f"{url}/healthz")).status == 200
        async with gateway(broken) as (client, url):
            answer = await client.get(f"{url}/cai-deploy/nodes")
            assert answer.status == 503
            assert "the GCS is away" in await answer.text()

    asyncio.run(check())


def test_what_is_posted_to_us() -> None:
    def act(body: Any) -> Mapping[str, Any]:
        if body == {"node": "worker-9"}:
            raise Refused(HTTPStatus.NOT_FOUND, "no node worker-9 has joined")
        if body == {"node": "worker-8"}:
            raise RuntimeError("the GCS is away")
        return {"accepted": True, "body": body}

    async def check() -> None:
        async with gateway(act=act) as (client, url):

            async def post(**sent: Any) -> tuple[int, Any]:
                async with client.post(f"{url}/cai-deploy/drain", **sent) as answer:
                    return answer.status, await answer.json()

            assert await post(json={"a": 1}) == (200, {"accepted": True, "body": {"a": 1}})
            assert await post(json={"node": "worker-9"}) == (404, {"error": "no node worker-9 has joined"})
            assert (await post(json={"node": "worker-8"}))[0] == 503
            json = {"Content-Type": "application/json"}
            assert await post(data=b"{", headers=json) == (400, {"error": "the body is not JSON"})
            assert (await post(data=b"\xff", headers=json))[0] == 400
            assert (await post(data=b"{}", headers={"Content-Type": "application/json; charset=x"}))[0] == 400
            assert (await post(data=b"[" * 100_000, headers=json))[0] == 400
            assert (await post(data=b" " * 1_000_000, headers=json))[0] == 400
            # What a page of another site can make a browser send.
            assert (await post(data=b'{"a": 1}', headers={"Content-Type": "text/plain"}))[0] == 400
            assert (await post(data={"a": "1"}))[0] == 400

    asyncio.run(check())


def test_what_is_not_there_yet_is_said() -> None:
    async def check() -> None:
        port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
        await asyncio.to_thread(Gateway("ray", Ways(nobody, nobody, OPEN), OwnAnswers(), OPEN).serve, port)
        async with aiohttp.ClientSession() as client:
            for path, said in (("/api/version", "Ray's dashboard"), ("/serve/x", "nothing is served yet")):
                answer = await client.get(f"http://127.0.0.1:{port}{path}")
                assert answer.status == 503
                assert said in (await answer.json())["error"]
                answer = await client.get(f"http://127.0.0.1:{port}{path}", headers={"Accept": "text/html"})
                assert answer.status == 503
                assert answer.content_type == "text/html"
                assert said.replace("'", "&#x27;") in await answer.text()
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    asyncio.run(check())


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # noqa: S104
        other.listen()
        with pytest.raises(PortRefused, match="cannot be opened"):
            Gateway("ray", Ways("http://127.0.0.1:1", "", OPEN), OwnAnswers(), OPEN).serve(other.getsockname()[1])


def test_metrics_through_the_gateway() -> None:
    async def check() -> None:
        node = RayNode(b"1", "worker-0", "ALIVE", address="127.0.0.1", metrics_port=1)
        async with gateway(guard=Guard("right"), gcs=FakeGcs(node)) as (client, url):
            paths = ("/metrics", "/cai-deploy/metrics/targets", "/cai-deploy/metrics/worker-0", "/cai-deploy/metrics/x")
            assert [(await client.get(f"{url}{path}")).status for path in paths] == [401] * 4
            right = {"Authorization": "Bearer right", "X-Forwarded-Host": "head.example", "X-Forwarded-Proto": "https"}
            all_, targets, one, none = [await client.get(f"{url}{path}", headers=right) for path in paths]
            assert all_.content_type == "text/plain"
            assert 'cai_deploy_node_metrics_read{cai_deploy_node="worker-0"} 0' in await all_.text()
            (target,) = await targets.json()
            assert (target["targets"], target["labels"]["__scheme__"]) == (["head.example"], "https")
            assert [one.status, none.status] == [502, 404]

    asyncio.run(check())


def test_the_page_when_ray_is_in_trouble() -> None:
    def broken() -> Mapping[str, Any]:
        raise RuntimeError("the GCS is away")

    async def check() -> None:
        async with gateway(overview=broken) as (client, url):
            answer = await client.get(f"{url}/", headers={"Accept": "text/html"})
            assert answer.status == 503
            assert "Ray does not answer" in await answer.text()

    asyncio.run(check())


def test_our_own_answers_are_for_those_with_the_token() -> None:
    asked: list[Any] = []

    def act(data: Any) -> Mapping[str, Any]:
        asked.append(data)
        return {}

    async def check() -> None:
        async with gateway(lambda: {"nodes": []}, act, Guard("right")) as (client, url):
            for headers in ({}, {"X-Ray-Authorization": "Bearer wrong"}, {"Authorization": "Bearer platform"}):
                answer = await client.get(f"{url}/cai-deploy/nodes", headers=headers)
                assert answer.status == HTTPStatus.UNAUTHORIZED
                assert "right" not in await answer.text()
                answer = await client.post(f"{url}/cai-deploy/drain", json={}, headers=headers)
                assert answer.status == HTTPStatus.UNAUTHORIZED
            assert asked == []
            right = {"X-Ray-Authorization": "Bearer right", "Authorization": "Bearer platform"}
            assert await (await client.get(f"{url}/cai-deploy/nodes", headers=right)).json() == {"nodes": []}
            assert (await client.post(f"{url}/cai-deploy/drain", json={"a": 1}, headers=right)).status == 200
            assert asked == [{"a": 1}]
            assert (await client.get(f"{url}/healthz")).status == 200
            for path in ("/", "/else", "/dashboard/", "/serve/", "/serve", "//healthz", "/healthz/"):
                assert (await client.get(f"{url}{path}")).status == HTTPStatus.UNAUTHORIZED, path
            assert (await client.get(f"{url}/else", headers=right)).status == 201

    asyncio.run(check())
