"""Misfortunes of what lives in the workspace: projects, runs, applications and their pods."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.local_workspace import pod_modes
from cai_deploy.testing import local_workspace

from .conftest import Client, eventually

WEB = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["CDSW_IP_ADDRESS"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(os.environ["CDSW_APP_PORT"])), Handler).serve_forever()
"""
SLEEP = "import time; time.sleep(1000)"
UNTIL_GO = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)"


def test_projects_that_cannot_be_created(client: Client) -> None:
    client.faults.add("creation_failure", target="bad*")
    names = {name: client.good("POST", "projects", {"name": name})["id"] for name in ("good", "bad-one")}

    def state(name: str) -> str:
        return str(client.good("GET", f"projects/{names[name]}")["creation_status"])

    eventually(lambda: state("bad-one") == "failure")
    eventually(lambda: state("good") == "success")


def test_runs_and_applications_without_quota(client: Client) -> None:
    project = client.project(sleep=SLEEP, web=WEB)
    fault = client.faults.add("stuck_scheduling")
    waiting, stopped = client.run(project, "waits", "sleep.py"), client.run(project, "stops", "sleep.py")
    application = client.application(project, "hungry", "web.py")
    client.faults.wait_until_fired(fault.id, 3)
    client.good("POST", f"{stopped}:stop")
    assert client.reaches(stopped, "ENGINE_STOPPED"), "what is held up can be stopped"
    assert client.status(waiting) == "ENGINE_SCHEDULING"
    assert client.status(application) == "APPLICATION_STARTING"
    assert client.workspace.status()["pods_running"] == 0
    client.faults.remove(fault.id)
    assert client.reaches(waiting, "ENGINE_RUNNING")
    assert client.reaches(application, "APPLICATION_RUNNING")


def test_an_application_stuck_in_starting(client: Client) -> None:
    project = client.project(web=WEB)
    fault = client.faults.add("stuck_starting", target="stuck")
    stuck, free = (client.application(project, name, "web.py") for name in ("stuck", "free"))
    assert client.reaches(free, "APPLICATION_RUNNING")
    assert client.workspace.status()["pods_running"] == 2, "its pod runs all the same"
    assert client.status(stuck) == "APPLICATION_STARTING"
    client.good("POST", f"{stuck}:stop")
    assert client.reaches(stuck, "APPLICATION_STOPPED")
    client.good("POST", f"{stuck}:restart")
    client.faults.remove(fault.id)
    assert client.reaches(stuck, "APPLICATION_RUNNING")


def test_an_application_that_is_shown_as_running_without_a_pod(client: Client) -> None:
    project = client.project(web=WEB)
    fault = client.faults.add("no_pod", target="shown")
    shown, real = (client.application(project, name, "web.py") for name in ("shown", "real"))
    assert client.reaches(real, "APPLICATION_RUNNING")
    assert client.reaches(shown, "APPLICATION_RUNNING")
    assert client.workspace.status()["pods_running"] == 1
    client.good("POST", f"{shown}:stop")
    assert client.reaches(shown, "APPLICATION_STOPPED")
    client.good("POST", f"{shown}:restart")
    assert client.reaches(shown, "APPLICATION_RUNNING")
    assert client.workspace.status()["pods_running"] == 1
    client.faults.remove(fault.id)
    eventually(lambda: client.workspace.status()["pods_running"] == 2)
    assert client.reaches(shown, "APPLICATION_RUNNING")
    client.faults.add("no_pod", target="shown")
    client.good("POST", f"{shown}:restart")
    eventually(lambda: client.workspace.status()["pods_running"] == 1)
    assert client.reaches(shown, "APPLICATION_RUNNING")
    client.good("DELETE", shown)
    assert client.workspace.status()["applications"] == 1


def test_a_run_that_is_lost_from_sight_goes_on(client: Client) -> None:
    project = client.project(until_go=UNTIL_GO)
    fault = client.faults.add("engine_unknown", target="lost")
    lost, seen = client.run(project, "lost", "until_go.py"), client.run(project, "seen", "until_go.py")
    assert client.reaches(lost, "ENGINE_UNKNOWN")
    listed = client.good("GET", lost.rpartition("/")[0])["job_runs"]
    assert [each["status"] for each in listed] == ["ENGINE_UNKNOWN"]
    assert client.reaches(seen, "ENGINE_RUNNING")
    client.good("POST", f"{project}/files", files={"go": ("go", "")})
    assert client.reaches(seen, "ENGINE_SUCCEEDED")
    eventually(lambda: client.workspace.status()["job_runs_running"] == 0)
    assert client.status(lost) == "ENGINE_UNKNOWN"
    client.faults.remove(fault.id)
    assert client.status(lost) == "ENGINE_SUCCEEDED"


def test_pods_are_killed(client: Client) -> None:
    project = client.project(web=WEB, sleep=SLEEP)
    victim, other = (client.application(project, name, "web.py") for name in ("victim", "other"))
    run = client.run(project, "work", "sleep.py")
    for path, state in ((victim, "APPLICATION_RUNNING"), (other, "APPLICATION_RUNNING"), (run, "ENGINE_RUNNING")):
        assert client.reaches(path, state)
    assert client.faults.add("pod_killed", target="victim").fired == 1
    assert client.faults.add("pod_killed", target="work").fired == 1
    assert client.reaches(victim, "APPLICATION_FAILED")
    assert client.reaches(run, "ENGINE_FAILED")
    assert client.status(other) == "APPLICATION_RUNNING"
    with pytest.raises(ConfigError, match="no pod runs that 'nobody' names"):
        client.faults.add("pod_killed", target="nobody")


@pytest.mark.parametrize("kind", ["pod_cut_off", "small_shm"])
def test_what_needs_walls_says_so(client: Client, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"{kind} needs pods with namespaces: in pod mode loopback pods have no"):
        client.faults.add(kind)
    assert client.faults.all() == []


@pytest.fixture(scope="module")
def walled() -> Iterator[Client]:
    mode, note = pod_modes.choose()
    if not mode.isolated:
        pytest.skip(note)
    with local_workspace(pods="auto", stop_grace=0.5) as workspace:
        assert workspace.pod_mode == mode.value
        yield Client(workspace)


def test_a_pod_with_little_shared_memory(walled: Client) -> None:
    script = "import os\ns = os.statvfs('/dev/shm')\nprint('shm', s.f_blocks * s.f_frsize >> 20)\n" + WEB
    project = walled.project(web=script)
    with walled.faults.during("small_shm", target="small"):
        small, usual = (walled.application(project, name, "web.py") for name in ("small", "usual"))
        assert walled.reaches(small, "APPLICATION_RUNNING")
        assert walled.reaches(usual, "APPLICATION_RUNNING")
    sizes = [walled.workspace.logs(path.rpartition("/")[2]).partition("shm ")[2].split()[0] for path in (small, usual)]
    assert sizes[0] == "64"
    assert int(sizes[1]) > 64


def test_a_pod_cut_off_from_the_network(walled: Client) -> None:
    asking = """
import http.server, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = []
        for address in (self.path.strip("/"), os.environ["CDSW_DOMAIN"]):
            try:
                urllib.request.urlopen("http://" + address, timeout=1).close(); found.append("yes")
            except urllib.error.HTTPError:
                found.append("yes")
            except OSError:
                found.append("no")
        self.send_response(200); self.end_headers(); self.wfile.write(" ".join(found).encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(os.environ["CDSW_APP_PORT"])), Handler).serve_forever()
"""
    project = walled.project(web=WEB, asking=asking)
    target, asker = walled.application(project, "target", "web.py"), walled.application(project, "asker", "asking.py")
    assert walled.reaches(target, "APPLICATION_RUNNING")
    assert walled.reaches(asker, "APPLICATION_RUNNING")

    def visit(subdomain: str, path: str = "/") -> tuple[int, str]:
        headers = {"Host": f"{subdomain}.localhost"}
        answer = walled.session.get(f"{walled.workspace.host}{path}", headers=headers, timeout=20)
        return answer.status_code, answer.text

    address = visit("target")[1]
    assert visit("asker", f"/{address}:8100") == (200, "yes yes")
    fault = walled.faults.add("pod_cut_off", target="target")
    status, text = visit("target")
    assert (status, "is cut off from the network" in text) == (503, True)
    assert visit("asker", f"/{address}:8100") == (200, "no yes")
    assert walled.status(target) == "APPLICATION_RUNNING"
    walled.faults.remove(fault.id)
    assert visit("target") == (200, address)
    eventually(lambda: visit("asker", f"/{address}:8100") == (200, "yes yes"))

    walled.faults.add("pod_cut_off", target="target", duration=0.2)
    eventually(lambda: visit("target")[0] == 200)
    walled.faults.clear()
    walled.good("POST", f"{target}:restart")
    eventually(lambda: visit("target")[0] == 200 and visit("target")[1] != address)
