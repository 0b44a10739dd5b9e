"""Pods: what each mode walls in, what a stop takes along, and what survives a crash."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import cai_deploy
from cai_deploy.errors import ConfigError
from cai_deploy.local_workspace import pod_modes, process, workloads
from cai_deploy.local_workspace.kubelet import members
from cai_deploy.local_workspace.process_table import start_time

from .conftest import SERVER_SCRIPT, Client, eventually, processes_of, workspace_in

# A daemon as Ray's are: its own session, its parent gone, and its environment overwritten.
DAEMON_SCRIPT = """
import os, subprocess, sys, time
subprocess.run([sys.executable, "-c", '''
import os, subprocess
subprocess.Popen(["/usr/bin/env", "-i", "/bin/sh", "-c", "trap '' TERM; sleep 987654; sleep 987654"],
                 start_new_session=True)
'''])
print("daemonised", flush=True)
"""


@pytest.fixture(scope="module", params=["root", "userns", "loopback"])
def moded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A workspace in each mode that works here."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("mode root needs root")
    refusal = pod_modes._refusal(pod_modes.PodMode(request.param))
    if refusal:
        pytest.skip(f"mode {request.param} does not work on this machine: {refusal}")
    with workspace_in(tmp_path_factory.mktemp(request.param), request.param) as client:
        assert client.endpoint.pod_mode == request.param
        yield client


def test_a_job_and_an_application_run(moded: Client) -> None:
    project = moded.project()
    moded.upload(project, "server.py", SERVER_SCRIPT)
    moded.upload(project, "x.py", "open('y', 'w')")
    assert moded.run(project, "x.py") == "ENGINE_SUCCEEDED"
    moded.until(moded.application(project, "first", "server.py"), "APPLICATION_RUNNING")
    moded.until(moded.application(project, "second", "server.py"), "APPLICATION_RUNNING")
    first, second = (moded.visit(name).text.split("\n")[3] for name in ("first", "second"))
    assert first != second
    moded.delete(f"projects/{project}")


def test_a_stop_takes_a_daemon_along(moded: Client) -> None:
    project = moded.project()
    moded.upload(project, "x.py", DAEMON_SCRIPT + "time.sleep(1000)")
    path = moded.application(project, "daemons", "x.py")
    identifier = path.rpartition("/")[2]
    log = moded.endpoint.home / "logs" / f"{identifier}.log"
    eventually(lambda: log.exists() and "daemonised" in log.read_text())
    assert _sleepers()
    moded.post(f"{path}:stop")
    eventually(lambda: moded.get(path)["status"] == "APPLICATION_STOPPED")
    assert _sleepers() == []
    moded.delete(f"projects/{project}")


def test_what_ends_by_itself_takes_a_daemon_along(moded: Client) -> None:
    project = moded.project()
    moded.upload(project, "x.py", DAEMON_SCRIPT)
    path = moded.application(project, "ends", "x.py")
    moded.until(path, "APPLICATION_FAILED")
    assert _sleepers() == []
    assert moded.run(project, "x.py") == "ENGINE_SUCCEEDED"
    assert _sleepers() == []
    moded.delete(f"projects/{project}")


def test_pods_have_walls_and_reach_each_other(moded: Client) -> None:
    if moded.endpoint.pod_mode == "loopback":
        pytest.skip("loopback pods have an address, but no walls")
    project = moded.project()
    moded.upload(project, "server.py", SERVER_SCRIPT)
    moded.until(
        moded.application(project, "target", "server.py", environment={"BIND": "0.0.0.0"}),  # noqa: S104
        "APPLICATION_RUNNING",
    )
    address = moded.visit("target").text.split("\n")[3]
    look = """
import json, os, shutil, socket, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
seen = {"other": opener.open("http://TARGET:8100/", timeout=5).read().decode(),
        "processes": len([p for p in os.listdir("/proc") if p.isdigit()]),
        "hostname": socket.gethostname(), "shm": shutil.disk_usage("/dev/shm").total,
        "routes": open("/proc/net/route").read(), "links": os.listdir("/proc/sys/net/ipv4/conf"),
        "tmp": os.listdir("/tmp"), "tmpdir": os.environ["TMPDIR"], "pid1": os.getppid(),
        "me": socket.gethostbyname(socket.gethostname()), "ip": os.environ["CDSW_IP_ADDRESS"]}
open("seen.json", "w").write(json.dumps(seen))
"""
    moded.upload(project, "look.py", look.replace("TARGET", address))
    path = moded.application(project, "looker", "look.py", memory=2)
    moded.until(path, "APPLICATION_FAILED")
    assert "seen.json" in moded.names(project), moded.log(path.rpartition("/")[2])
    seen = json.loads(moded.download(project, "seen.json"))
    assert address in seen["other"]
    assert (seen["processes"], seen["pid1"]) == (2, 1)
    assert seen["hostname"] == "looker"
    # its scratch, and what it needs of what the tests keep in /tmp: the workspace, the program, the interpreter
    needed = [moded.endpoint.home, Path(cai_deploy.__file__), Path(sys.prefix), Path(sys.base_prefix)]
    own = {Path(seen["tmpdir"]).name, *(path.parts[2] for path in needed if path.is_relative_to("/tmp"))}
    assert set(seen["tmp"]) - own <= {name for name in seen["tmp"] if name.startswith("kernel-")}
    assert seen["me"] == seen["ip"] != address
    assert seen["shm"] == 1 << 30
    assert set(seen["links"]) == {"all", "default", "lo", "eth0"}
    assert all(line.split()[1] != "00000000" for line in seen["routes"].splitlines()[1:]), "no default route"
    moded.delete(f"projects/{project}")
    eventually(lambda: not any("kubelet isolated" in line for line in processes_of(moded.endpoint.home)))
    assert not Path("/sys/class/net/br0").exists()


def test_pods_survive_a_crash_of_the_server(moded: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(moded.endpoint.home.parent))
    monkeypatch.setenv("CAI_DEPLOY_POD_MODE", moded.endpoint.pod_mode)
    monkeypatch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
    project = moded.project()
    moded.upload(project, "server.py", SERVER_SCRIPT)
    moded.upload(project, "x.py", "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)")
    lives, dies = (moded.application(project, name, "server.py") for name in ("lives", "dies"))
    moded.until(lives, "APPLICATION_RUNNING")
    moded.until(dies, "APPLICATION_RUNNING")
    job = moded.job(project, "x.py")
    run = f"projects/{project}/jobs/{job['id']}/runs"
    run = f"{run}/{moded.post(run)['id']}"
    eventually(lambda: moded.get(run)["status"] == "ENGINE_RUNNING")
    before = _of(lives)
    assert before

    os.kill(moded.endpoint.pid, signal.SIGKILL)
    eventually(lambda: process.find() is None)
    for pid in _of(dies):
        os.kill(pid, signal.SIGKILL)
    endpoint = process.start()
    assert (endpoint.host, endpoint.api_key) == (moded.endpoint.host, moded.endpoint.api_key)
    assert endpoint.pid != moded.endpoint.pid
    moded.endpoint = endpoint

    eventually(lambda: moded.get(dies)["status"] == "APPLICATION_FAILED")
    assert moded.get(lives)["status"] == "APPLICATION_RUNNING"
    assert _of(lives) == before, "the very same processes"
    assert moded.visit("lives").status_code == 200
    moded.upload(project, "go", "")
    assert moded.end_of(run) == "ENGINE_SUCCEEDED"
    moded.delete(f"projects/{project}")
    assert _of(lives) == set()


def test_no_killed_process_leaves_others_behind(moded: Client) -> None:
    """Kill what brought up the kubelet, the kubelet, the pod's first processes: each end is noticed and complete."""
    project = moded.project()
    moded.upload(project, "server.py", SERVER_SCRIPT)
    path = moded.application(project, "bereft", "server.py")
    name = "plain" if moded.endpoint.pod_mode == "loopback" else "walled"
    count = 1
    for victim in range(10):
        moded.until(path, "APPLICATION_RUNNING")
        pids = [int(line.split()[0]) for line in processes_of(moded.endpoint.home) if f"{name}.sock" in line]
        count = len(pids)
        if victim >= count:
            break
        os.kill(sorted(pids)[victim], signal.SIGKILL)
        eventually(lambda: moded.get(path)["status"] == "APPLICATION_FAILED")
        assert _of(path) == set(), f"after killing process {victim} of {count}"
        moded.post(f"{path}:restart")
    assert count == (2 if name == "plain" else 4)
    moded.delete(f"projects/{project}")


def test_an_ordinary_user_has_walls_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As another user, in a user namespace, with the package in a place that this user can read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become an ordinary user; without root the mode userns is tested above")
    interpreter, setpriv = "/usr/bin/python3", shutil.which("setpriv")
    if not setpriv or not Path(interpreter).exists():
        pytest.skip("needs setpriv and a Python that every user can run")

    import aiohttp

    packages = Path(aiohttp.__file__).parent.parent
    same = subprocess.run(
        [interpreter, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
    )
    if same.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        pytest.skip(f"{interpreter} is of another version than this Python, which aiohttp is built for")
    place = Path(tempfile.mkdtemp(prefix="userns-"))
    try:
        place.chmod(0o755)
        shutil.copytree(Path(pod_modes.__file__).parent.parent, place / "lib" / "cai_deploy")
        for name in (
            "aiohttp",
            "aiohappyeyeballs",
            "aiosignal",
            "attr",
            "attrs",
            "cronsim",
            "frozenlist",
            "idna",
            "multidict",
            "propcache",
            "yarl",
            "typing_extensions.py",
            "uv",
        ):
            source = packages / name
            if source.is_dir():
                shutil.copytree(source, place / "lib" / name)
            elif source.exists():
                shutil.copy(source, place / "lib" / name)
        (place / "lib" / "uv").mkdir(exist_ok=True)
        (place / "lib" / "uv" / "__init__.py").write_text("def find_uv_bin(): return '/bin/true'\n")
        (place / "home").mkdir()
        os.chown(place / "home", 65534, 65534)
        script = place / "try.py"
        script.write_text(_AS_A_USER.replace("SERVER_SCRIPT", repr(SERVER_SCRIPT)))
        done = subprocess.run(
            [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", interpreter, str(script)],
            env={
                "PATH": "/usr/bin:/bin",
                "CAI_DEPLOY_HOME": str(place / "home"),
                "HOME": str(place / "home"),
                "PYTHONPATH": str(place / "lib"),
                "CAI_DEPLOY_STOP_GRACE": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if told["mode"] == "loopback":
            pytest.skip(f"this machine forbids user namespaces to ordinary users: {told['note']}")
        assert told == {**told, "mode": "userns", "status": 200, "found": None}
        assert told["body"].split("\n")[3].startswith("10.77.")
        assert processes_of(place) == []
    finally:
        shutil.rmtree(place, ignore_errors=True)


_AS_A_USER = """
import json, time, urllib.request
from cai_deploy.local_workspace import process
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
endpoint = process.start()
def ask(method, path, body=None, raw=None, kind="application/json", host=None):
    data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": "Bearer " + endpoint.api_key, "Content-Type": kind}
    if host: headers["Host"] = host
    with opener.open(urllib.request.Request(endpoint.host + path, data, headers, method=method), timeout=20) as answer:
        return answer.status, answer.read().decode()
def api(method, path, **options):
    text = ask(method, "/api/v2/" + path, **options)[1]
    return json.loads(text) if text else None
try:
    project = api("POST", "projects", body={"name": "x"})["id"]
    while api("GET", "projects/" + project)["creation_status"] == "creating": time.sleep(0.02)
    head = '--b\\r\\nContent-Disposition: form-data; name="s.py"; filename="s.py"\\r\\n\\r\\n'
    part = head + SERVER_SCRIPT + '\\r\\n--b--\\r\\n'
    api("POST", f"projects/{project}/files", raw=part.encode(), kind="multipart/form-data; boundary=b")
    runtime = api("GET", "runtimes")["runtimes"][0]["image_identifier"]
    path = f"projects/{project}/applications"
    made = api("POST", path, body={"name": "a", "subdomain": "a", "script": "s.py", "runtime_identifier": runtime})
    until = time.monotonic() + 15
    while api("GET", f"{path}/{made['id']}")["status"] == "APPLICATION_STARTING" and time.monotonic() < until:
        time.sleep(0.02)
    status, body = ask("GET", "/", host="a.localhost")
finally:
    process.stop()
told = {"mode": endpoint.pod_mode, "note": endpoint.note, "status": status, "body": body}
print(json.dumps({**told, "found": process.find()}))
"""


def test_a_mode_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pod_modes.OVERRIDE, "vm")
    with pytest.raises(ConfigError, match="vm is no pod mode"):
        pod_modes.choose()


def test_without_namespaces_the_mode_is_loopback_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pod_modes.OVERRIDE, raising=False)
    monkeypatch.setattr(pod_modes, "_refusal", lambda mode: "unshare failed: not permitted")
    mode, note = pod_modes.choose()
    assert mode is pod_modes.PodMode.LOOPBACK
    assert "not permitted" in note
    assert "\n" not in note


def _of(path: str) -> set[int]:
    return members.marked(path.rpartition("/")[2])


def _sleepers() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and start_time(int(entry.name)):
            line = (entry / "cmdline").read_bytes() if (entry / "cmdline").exists() else b""
            if b"sleep\x00987654" in line or (b"sleep 987654" in line and b"python" not in line):
                found.append(entry.name)
    return found


def test_what_lies_in_tmp_stays_visible_only_where_it_is_needed() -> None:
    with tempfile.TemporaryDirectory(prefix="cai-", dir="/tmp") as needed:
        inside = [f"{needed}/workspace/x", "/usr/bin/python3", "/tmp", "not a path", "/tmp/cai-0a1b2c3d", "/tmp/gone/x"]
        assert workloads.kept_of_tmp(inside, "/tmp/cai-0a1b2c3d") == [needed]
