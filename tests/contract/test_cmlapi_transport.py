"""Our calls through Cloudera's own client, installed as a user does it: the same answers, errors and patience."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from cai_deploy.local_workspace import process
from cai_deploy.testing import LocalWorkspace

REPOSITORY = Path(__file__).parents[2]

# What is done through one transport after the other; requests must not be used for the API while cmlapi is asked for.
USER_CODE = """
import json, sys, time
import requests
from cai_deploy import Workspace
from cai_deploy.api.errors import AccessRefused, NotFound, RateLimited
from cai_deploy.api.schemas import CreateJobRequest, CreateProjectRequest
from cai_deploy.errors import DeployError, PlaceUnreachable

host, key, transport = sys.argv[1:]
told = {}
if transport == "cmlapi":
    def refuse(*_, **__):
        raise AssertionError("this went past cmlapi")
    requests.Session.request = refuse
import cmlapi

mine = Workspace.from_cmlapi(cmlapi.default_client(url=host + "/", cml_api_key=key), transport=transport)
told["workspace"] = [mine.host == host, mine.api_key == key, key in repr(mine), mine.ca_bundle, mine.proxy]
client = mine.client()
told["owner"] = client.validate_key()
project = client.projects.create(CreateProjectRequest(name=f"through {transport}", template="local"))
while client.projects.get(project.id).creation_status != "success":
    time.sleep(0.05)
content = bytes(range(256)) * 40
client.files.upload(project.id, "below/any name.bin", content)
told["listed"] = [[one.path, one.file_size] for one in client.files.list(project.id, "below")]
told["read"] = client.files.download(project.id, "below/any name.bin") == content
told["the end of it"] = client.files.download_from(project.id, "below/any name.bin", 10000) == content[10000:]
told["found"] = client.projects.find(f"through {transport}").id == project.id
told["not found"] = client.projects.find("rough") is None
told["runtimes"] = len(client.runtimes.list()) > 0
told["clock"] = abs(client.server_time() - time.time()) < 60

def error_of(what, kind):
    try:
        what()
    except kind as error:
        return [type(error).__name__, str(error).replace(host, "HOST"), error.next_step, key in str(error)]

told["missing"] = error_of(lambda: client.projects.get("aaaa-bbbb-cccc-dddd"), NotFound)
told["bad id"] = error_of(lambda: client.applications.list("17"), DeployError)
stranger = Workspace(host, "wrong-key-" + "x" * 40, transport=transport)
told["refused"] = error_of(lambda: stranger.client().projects.list(), AccessRefused)
told["unreachable"] = error_of(lambda: Workspace("http://127.0.0.1:9", key, transport=transport).client(
    attempts=1).projects.list(), PlaceUnreachable)
client.projects.delete(project.id)
client.projects.delete(project.id)
told["deleted"] = client.projects.find(f"through {transport}") is None
print(json.dumps(told))
"""

# The command line as it is, where requests may be used for applications alone.
COMMAND = """
import sys
import requests
plain = requests.Session.request
def request(self, method, url, *more, **named):
    assert "/api/v2/" not in url, f"{url} went past cmlapi"
    return plain(self, method, url, *more, **named)
requests.Session.request = request
from cai_deploy.__main__ import main
sys.argv[0] = "cai-deploy"
main()
"""


@pytest.fixture(scope="module")
def python(endpoint: process.Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with cai_deploy as here, and cmlapi from the workspace beside it."""
    place = tmp_path_factory.mktemp("cmlapi")
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    interpreter = place / "venv" / "bin" / "python"
    address = f"{endpoint.host}/api/v2/python.tar.gz"
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--no-index", "--python", interpreter, address],
        check=True,
        env={**os.environ, "UV_CACHE_DIR": str(place / "cache")},
    )
    site = next((place / "venv").glob("lib/python3*/site-packages"))
    (site / "here.pth").write_text(f"{REPOSITORY}\n{sysconfig.get_path('purelib')}\n")
    return interpreter


def run(directory: Path, *command: object, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDSW_", "CML_", "CAI_"))}
    kept.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_both_transports_bring_the_same(python: Path, endpoint: process.Endpoint, tmp_path: Path) -> None:
    told, faults = {}, LocalWorkspace(endpoint).faults
    for transport in ("requests", "cmlapi"):
        faults.add("html_502", method="GET", path="*/runtimes", count=1)
        faults.add("rate_limit", method="DELETE", path="*/projects/*", count=1, retry_after=0)
        done = run(tmp_path, python, "-c", USER_CODE, endpoint.host, endpoint.api_key, transport)
        assert done.returncode == 0, done.stderr
        told[transport] = json.loads(done.stdout)
        assert [fault.fired for fault in faults.all()] == [1, 1]
        faults.clear()
    assert told["cmlapi"] == told["requests"]
    ours = told["cmlapi"]
    assert ours["workspace"] == [True, True, False, None, ""]
    assert ours["listed"] == [["any name.bin", 10240]]
    for name in ("read", "the end of it", "found", "not found", "runtimes", "clock", "deleted"):
        assert ours[name] is True, name
    assert [ours[name][0] for name in ("missing", "bad id", "refused", "unreachable")] == [
        "NotFound",
        "NotFound",
        "AccessRefused",
        "PlaceUnreachable",
    ]
    assert ours["unreachable"][1] == "http://127.0.0.1:9 cannot be reached: Connection refused"
    assert not any(ours[name][3] for name in ("missing", "bad id", "refused", "unreachable"))


def test_the_command_line_sends_its_calls_through_it(python: Path, endpoint: process.Endpoint, tmp_path: Path) -> None:
    (tmp_path / "cai-deploy.yaml").write_text("project: {git_url: 'https://example.com/a.git'}\n")
    workspace = {"CML_HOST": endpoint.host, "CML_API_KEY": endpoint.api_key}
    plain = run(tmp_path, python, "-m", "cai_deploy", "plan", **workspace)
    by_option = run(tmp_path, python, "-c", COMMAND, "--transport", "cmlapi", "plan", **workspace)
    by_variable = run(tmp_path, python, "-c", COMMAND, "plan", **workspace, CAI_DEPLOY_TRANSPORT="cmlapi")
    for done in (plain, by_option, by_variable):
        assert done.returncode == 0, done.stderr
        assert "create node worker-0: does not exist" in done.stdout
        assert done.stdout == plain.stdout
    past = run(tmp_path, python, "-c", COMMAND, "plan", **workspace)
    assert "went past cmlapi" in past.stderr, "or this test could not fail"


def test_without_the_client_it_says_where_it_comes_from(endpoint: process.Endpoint, tmp_path: Path) -> None:
    workspace = {"CML_HOST": endpoint.host, "CML_API_KEY": endpoint.api_key, "PYTHONPATH": str(REPOSITORY)}
    done = run(tmp_path, sys.executable, "-m", "cai_deploy", "--transport", "cmlapi", "status", **workspace)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"place: the workspace at {endpoint.host} (from CML_HOST)\n"
        "error: the transport cmlapi needs Cloudera's client, which is not installed\n"
        f"hint: pip install {endpoint.host}/api/v2/python.tar.gz, or leave --transport out\n"
    )
    wrong = run(tmp_path, sys.executable, "-m", "cai_deploy", "status", **workspace, CAI_DEPLOY_TRANSPORT="pigeon")
    assert wrong.stderr == (
        "error: CAI_DEPLOY_TRANSPORT=pigeon names no transport\nhint: use one of requests, cmlapi\n"
    )


def test_nobody_imports_it_unasked(python: Path, endpoint: process.Endpoint, tmp_path: Path) -> None:
    look = COMMAND.partition("from cai_deploy")[0].partition("plain =")[0] + (
        "from cai_deploy.cluster import Cluster\nfrom cai_deploy import Workspace\n"
        f"Workspace({endpoint.host!r}, {endpoint.api_key!r}).client().projects.list()\n"
        "print('cmlapi' in sys.modules)\n"
    )
    done = run(tmp_path, python, "-c", look)
    assert (done.stdout, done.stderr) == ("False\n", "")
