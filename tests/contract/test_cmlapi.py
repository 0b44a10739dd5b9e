"""``pip install http://.../python.tar.gz`` into a fresh environment, and real code on top of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from cai_deploy.local_workspace import process

# What somebody writes who knows Cloudera's client; run by the fresh environment's Python, which has nothing else.
USER_CODE = """
import json, os, pathlib, sys, tempfile, time
import cmlapi
from cmlapi import Cursor
from cmlapi.rest import ApiException
from cmlapi.models.create_project_request import CreateProjectRequest

host, key = sys.argv[1:]
told = {}

def until(what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise SystemExit("not in time: %r" % what())

try:
    cmlapi.default_client()
except ValueError:
    told["outside"] = "ValueError"
client = cmlapi.default_client(url=host + "/", cml_api_key=key)

project = client.create_project(CreateProjectRequest(name="with cmlapi", template="local", environment={"A": "1"}))
until(lambda: client.get_project(project.id).creation_status == "success")
told["project"] = [type(project).__name__, project.name, type(project.created_at).__name__, project.owner.username]

folder = pathlib.Path(tempfile.mkdtemp())
script = folder / "any name.py"
script.write_text("import os; open('out.txt', 'w').write(os.environ['JOB_ARGUMENTS'] + os.environ['A'])")
app = folder / "app.py"
app.write_text("import http.server, os; http.server.HTTPServer(('127.0.0.1', int(os.environ['CDSW_APP_PORT'])),"
               " http.server.SimpleHTTPRequestHandler).serve_forever()")
answer = client.api_client.call_api(
    "/api/v2/projects/{project_id}/files", "POST", path_params={"project_id": project.id},
    header_params={"Content-Type": "multipart/form-data"},
    files={"src/job.py": str(script), "app.py": str(app)})
told["upload"] = answer[1]
client.upload_file(project_id=project.id, file=str(script))
listed = client.list_project_files(project.id, "src").files + client.list_project_files(project.id, ".").files
told["files"] = [[one.path, one.is_dir] for one in listed]

runtimes = list(Cursor(client.list_runtimes, page_size=1, search_filter=json.dumps({"kernel": "Python"})).items())
runtime = runtimes[0].image_identifier
job = client.create_job({"name": "job", "script": "src/job.py", "runtime_identifier": runtime}, project.id)
other = cmlapi.CreateJobRequest(name="other", script="app.py", runtime_identifier=runtime)
client.create_job(body=other, project_id=project.id)
told["listed"] = [one.name for one in client.list_jobs(project.id, search_filter=json.dumps({"name": "jo"})).jobs]
told["paged"] = [one.name for one in Cursor(client.list_jobs, project.id, page_size=1, sort="-name")]

run = client.create_job_run(cmlapi.CreateJobRunRequest(arguments="hello "), project.id, job.id)
status = until(lambda: [client.get_job_run(project.id, job.id, run.id).status] if
               client.get_job_run(project.id, job.id, run.id).finished_at else None)
told["run"] = status == [cmlapi.EngineStatus.ENGINE_SUCCEEDED]
told["output"] = client.download_project_file(project.id, "out.txt").decode()

application = client.create_application(cmlapi.CreateApplicationRequest(
    name="app", subdomain="with-cmlapi", script="app.py", runtime_identifier=runtime), project.id)
until(lambda: client.get_application(project.id, application.id).status == "APPLICATION_RUNNING")
changed = client.update_application(cmlapi.Application(description="new"), project.id, application.id)
told["application"] = [changed.description, json.loads(changed.environment)["A"]]
client.stop_application(project_id=project.id, application_id=application.id)
client.delete_application(project.id, application.id)

try:
    client.get_project("aaaa-bbbb-cccc-dddd")
except ApiException as error:
    told["refused"] = [error.status, error.reason, json.loads(error.body)["code"], "Content-Type" in error.headers]
try:
    client.list_jobs(None)
except ValueError as error:
    told["missing"] = "project_id" in str(error)
try:
    client.list_projects(colour="red")
except TypeError as error:
    told["unknown"] = "colour" in str(error)
mine = json.dumps({"name": "with cmlapi"})
told["background"] = client.list_projects(search_filter=mine, async_req=True).get().to_dict()["projects"][0]["name"]
told["raw"] = json.loads(client.list_projects(search_filter=mine, _preload_content=False).data)["projects"][0]["name"]
told["info"] = client.get_project_with_http_info(project.id)[1]

configuration = cmlapi.Configuration()
configuration.host = host
plain = cmlapi.ApiClient(configuration)
plain.set_default_header("authorization", "Bearer " + key)
again = cmlapi.CMLServiceApi(plain)
read = again.get_project(project.id)
read.description = "round trip"
told["round trip"] = again.update_project(read, project.id).description
told["shown"] = "round trip" in again.get_project(project.id).to_str()
nobody = cmlapi.default_client(url=host, cml_api_key="wrong")
try:
    nobody.list_projects()
except ApiException as error:
    told["stranger"] = error.status
again.delete_project(project.id)
print(json.dumps(told))
"""


@pytest.fixture(scope="module", params=["uv", "pip"])
def python(
    request: pytest.FixtureRequest, endpoint: process.Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A fresh environment's Python with cmlapi in it, and no way to any index."""
    place = tmp_path_factory.mktemp(request.param)
    venv.create(place / "venv", with_pip=request.param == "pip")
    interpreter = place / "venv" / "bin" / "python"
    address = f"{endpoint.host}/api/v2/python.tar.gz"
    if request.param == "uv":
        command = [sys.executable, "-m", "uv", "pip", "install", "--no-index", "--python", str(interpreter), address]
    else:
        command = [str(interpreter), "-m", "pip", "install", "--no-index", "--disable-pip-version-check", address]
    environment = {**os.environ, "UV_CACHE_DIR": str(place / "cache"), "PIP_NO_CACHE_DIR": "1"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr
    return interpreter


def test_code_written_on_the_platforms_client_runs_unmodified(python: Path, endpoint: process.Endpoint) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDSW_", "PYTHON"))}
    command = [str(python), "-c", USER_CODE, endpoint.host, endpoint.api_key]
    done = subprocess.run(
        command, env=environment, cwd=python.parent, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "outside": "ValueError",
        "project": ["Project", "with cmlapi", "datetime", "local"],
        "upload": 200,
        "files": [["job.py", False], ["app.py", False], ["file", False], ["src", True]],
        "listed": ["job"],
        "paged": ["other", "job"],
        "run": True,
        "output": "hello 1",
        "application": ["new", "1"],
        "refused": [404, "Not Found", 5, True],
        "missing": True,
        "unknown": True,
        "background": "with cmlapi",
        "raw": "with cmlapi",
        "info": 200,
        "round trip": "round trip",
        "shown": True,
        "stranger": 401,
    }
