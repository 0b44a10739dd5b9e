"""Applications: states, restarts, and being reached by their host name."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from .conftest import SERVER_SCRIPT, Client, environment_of, eventually

FIELDS = (
    "id name description creator script subdomain status created_at stopped_at updated_at starting_at running_at"
    " kernel cpu memory nvidia_gpu bypass_authentication environment runtime_identifier runtime_addon_identifiers"
    " run_as cdv_app accelerator_label_id resource_group_id resource_profile_id"
)
WEBSOCKET_SCRIPT = """
import asyncio, base64, hashlib, os
async def serve(reader, writer):
    lines = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    key = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("sec-websocket-key")]
    if not key:
        writer.write(b"HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        await writer.drain(); writer.close(); return
    digest = hashlib.sha1(key[0].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\\r\\n\\r\\n")
    while True:
        first, length = await reader.readexactly(2)
        length &= 127
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(length)))
        if first & 15 == 8:
            writer.write(b"\\x88" + bytes([len(data)]) + data); await writer.drain(); writer.close(); return
        writer.write(bytes([first, length]) + data[::-1]); await writer.drain()
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", int(os.environ["CDSW_APP_PORT"])) as server:
        await server.serve_forever()
await main()
"""


@pytest.fixture
def prepared(shared: Client, project: str) -> str:
    shared.upload(project, "web/server.py", SERVER_SCRIPT)
    return project


def test_an_application_starts_and_answers_at_its_host_name(shared: Client, prepared: str) -> None:
    shared.patch(f"projects/{prepared}", {"environment": '{"P": "project", "Q": "project"}'})
    path = shared.application(prepared, "answers", "web/server.py", environment={"Q": "mine"})
    shown = shared.get(path)
    assert set(shown) == set(FIELDS.split())
    assert shown["status"] == "APPLICATION_STARTING"
    assert environment_of(shown) == {"P": "project", "Q": "mine"}
    shown = shared.until(path, "APPLICATION_RUNNING")
    assert shown["running_at"] >= shown["starting_at"]

    answer = shared.visit("answers", "/a%2Fb?c=d&e", "POST", data=b"body")
    assert answer.headers["X-Kept"] == "yes"
    method, target, key, address, body = answer.text.split("\n")
    assert (method, target, key, body) == ("POST", "/a%2Fb?c=d&e", "none", "body")
    assert address.startswith(("10.77.", "127.77."))
    assert shared.visit("answers", data=iter([b"in ", b"pieces"]), method="POST").text.endswith("\n") is True
    assert shared.visit("answers", headers={"Host": "answers.any.where:1234"}).status_code == 200


def test_the_key_opens_an_application_unless_it_is_public(shared: Client, prepared: str) -> None:
    closed = shared.application(prepared, "closed", "web/server.py")
    public = shared.application(prepared, "public", "web/server.py", bypass_authentication=True)
    shared.until(closed, "APPLICATION_RUNNING")
    shared.until(public, "APPLICATION_RUNNING")
    stranger = {"Authorization": "Bearer of-something-else"}
    assert shared.visit("closed", headers=stranger).status_code == 401
    assert shared.visit("public", headers=stranger).text.split("\n")[2] == "Bearer of-something-else"
    assert shared.visit("public").text.split("\n")[2] == "none"  # the workspace's key stays outside
    assert shared.visit("no-such-application").status_code == 404


def test_stop_and_restart(shared: Client, prepared: str) -> None:
    path = shared.application(prepared, "again", "web/server.py")
    shared.until(path, "APPLICATION_RUNNING")
    first = shared.visit("again").text.split("\n")[3]
    assert shared.post(f"{path}:stop")["status"] == "APPLICATION_STOPPING"
    assert shared.until(path, "APPLICATION_STOPPED")["stopped_at"] is not None
    answer = shared.visit("again")
    assert (answer.status_code, answer.json()["code"]) == (503, 14)
    assert shared.post(f"{path}:stop")["status"] == "APPLICATION_STOPPED"
    for _ in range(2):  # from stopped, then from running
        assert shared.post(f"{path}:restart")["status"] == "APPLICATION_STARTING"
        shared.until(path, "APPLICATION_RUNNING")
        second = shared.visit("again").text.split("\n")[3]
        assert second != first, "a new pod has a new address"
        first = second


def test_orders_in_quick_succession_end_in_the_last_one(shared: Client, prepared: str) -> None:
    path = shared.application(prepared, "hectic", "web/server.py")
    for action in ("stop", "restart", "restart", "stop"):
        shared.post(f"{path}:{action}")
    eventually(lambda: shared.get(path)["status"] == "APPLICATION_STOPPED")
    for action in ("restart", "stop", "restart"):
        shared.post(f"{path}:{action}")
    eventually(lambda: shared.get(path)["status"] == "APPLICATION_RUNNING")
    assert shared.visit("hectic").status_code == 200


@pytest.mark.parametrize("code", ["pass", "raise SystemExit(0)", "1 / 0"])
def test_an_application_that_ends_has_failed(shared: Client, project: str, code: str) -> None:
    shared.upload(project, "x.py", f"print('last words', flush=True)\n{code}")
    path = shared.application(project, "ends", "x.py")
    shown = shared.until(path, "APPLICATION_FAILED")
    assert "last words" in shared.log(shown["id"])
    assert shared.visit("ends").status_code == 503


def test_a_script_that_is_no_file_is_a_line_for_the_shell(shared: Client, prepared: str) -> None:
    line = "cd web && exec python3 server.py"
    shared.until(shared.application(prepared, "inline", line), "APPLICATION_RUNNING")
    assert shared.visit("inline").status_code == 200


def test_subdomains_are_checked_and_unique(shared: Client, prepared: str) -> None:
    applications = f"projects/{prepared}/applications"
    body = {"name": "n", "subdomain": "taken", "script": "sleep 1000", "runtime_identifier": shared.runtime()}
    for bad in ("", "Upper", "two--dashes", "-start", "end-", "dot.ted", "x" * 64):
        message = "Problem with field Subdomain: invalid pattern"
        assert shared.refused("POST", applications, body | {"subdomain": bad}) == (400, message)
    assert shared.refused("POST", applications, body | {"runtime_identifier": ""}) == (
        400,
        "runtime image must be specified",
    )
    path = shared.application(prepared, "taken", "sleep 1000")
    response = shared.ask("POST", applications, json=body)
    assert (response.status_code, response.json()["code"]) == (409, 6)
    found = shared.get(applications, params={"search_filter": '{"subdomain": "take", "status": "starting"}'})
    assert [f"{applications}/{each['id']}" for each in found["applications"]] == [path]


def test_a_patch_changes_the_record_and_the_next_start(shared: Client, prepared: str) -> None:
    path = shared.application(prepared, "patched", "web/server.py", environment={"A": "1"})
    shared.until(path, "APPLICATION_RUNNING")
    shown = shared.patch(path, {"environment": '{"CDSW_IP_ADDRESS": "new"}', "memory": 2, "subdomain": "other"})
    assert (shown["memory"], shown["status"], shown["subdomain"]) == (2, "APPLICATION_RUNNING", "patched")
    assert shared.visit("patched").text.split("\n")[3] != "new"
    shared.post(f"{path}:restart")
    shared.until(path, "APPLICATION_RUNNING")
    assert shared.visit("patched").text.split("\n")[3] == "new"
    assert shared.refused("PATCH", path, {"environment": {"A": "1"}})[0] == 400


def test_delete_answers_when_the_processes_are_gone(shared: Client, prepared: str) -> None:
    script = "trap '' TERM; sleep 1000 & echo $! ; wait; sleep 1000"
    path = shared.application(prepared, "stubborn", script)
    identifier = path.rpartition("/")[2]
    eventually(lambda: (shared.endpoint.home / "logs" / f"{identifier}.log").exists() and shared.log(identifier))
    eventually(lambda: _marked(identifier))
    started = time.monotonic()
    shared.delete(path)
    assert time.monotonic() - started < 8
    assert _marked(identifier) == set()
    assert shared.refused("GET", path)[0] == 404


def test_websockets_pass(shared: Client, project: str) -> None:
    shared.upload(project, "ws.py", WEBSOCKET_SCRIPT)
    shared.until(shared.application(project, "sockets", "ws.py"), "APPLICATION_RUNNING")

    async def talk() -> list[object]:
        url = f"{shared.endpoint.host}/stream"
        headers = {"Host": "sockets.localhost", "Authorization": f"Bearer {shared.endpoint.api_key}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as ws:
            await ws.send_str("abc")
            text = await ws.receive_str(timeout=5)
            await ws.send_bytes(b"123")
            return [text, await ws.receive_bytes(timeout=5)]

    assert asyncio.run(talk()) == ["cba", b"321"]


def test_a_pod_reaches_the_api_where_its_environment_says(shared: Client, project: str) -> None:
    script = """
import os, urllib.request
url = os.environ["CDSW_API_URL"].replace("/api/v1", "/api/v2/projects")
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["CDSW_APIV2_KEY"]})
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print("status", opener.open(request, timeout=5).status, flush=True)
"""
    shared.upload(project, "x.py", script)
    path = shared.application(project, "asks", "x.py")
    shown = shared.until(path, "APPLICATION_FAILED")
    assert "status 200" in shared.log(shown["id"])


def _marked(identifier: str) -> set[int]:
    from cai_deploy.local_workspace.kubelet import members

    return members.marked(identifier)
