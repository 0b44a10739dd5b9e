"""A runner for our own workflows: their very steps, on this machine, as GitHub would run them.

What a `run:` says is run by bash with the variables that its YAML gives it and no others of ours. Of the actions that a
workflow uses, those are carried out here that give it a clone, a Python, and files from job to job.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.conftest import git
from tests.e2e.expressions import Values, condition, fill_in
from tests.workflow_files import REPOSITORY, load

PASSED_ON = (
    "HOME",
    "LANG",
    "PIP_",
    "UV_",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "HTTP",
    "http",
    "NO_PROXY",
    "no_proxy",
)
"""Of this machine's own variables: what it takes to install packages here."""


@dataclass
class Ran:
    """One step that was run, and what it left."""

    job: str
    name: str
    status: int
    told: str
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class Finished:
    """A whole run of a workflow. ``outputs`` are those of its jobs, by job."""

    steps: list[Ran] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(step.status == 0 for step in self.steps)

    def step(self, name: str, job: str = "") -> Ran:
        return next(step for step in self.steps if step.name == name and job in ("", step.job))


@dataclass
class Runner:
    """A machine for workflows, at ``root``. Like one that somebody keeps, it is not made anew for each run."""

    root: Path
    origin: Path
    secrets: Mapping[str, str]
    variables: Mapping[str, str]

    @property
    def workspace(self) -> Path:
        return self.root / "work"

    def workflow(self, file: Path, event: Mapping[str, str], commit: str) -> Finished:
        """Run the jobs of a workflow for an event, one after the other. Ends with the first job that fails."""
        said = load(file)
        done = Finished()
        values = {"failure": False, "runner.temp": self.temporary}
        values |= {f"github.{name}": value for name, value in event.items()}
        values |= {f"vars.{name}": value for name, value in self.variables.items()}
        values |= {f"secrets.{name}": value for name, value in self.secrets.items()}
        env = {name: fill_in(text, values) for name, text in said.get("env", {}).items()}
        for name, job in said["jobs"].items():
            if job.get("needs") in done.skipped or not condition(job.get("if"), values):
                done.skipped.append(name)
                continue
            self._forget_files()
            inside = dict(values)
            self._steps(name, job["steps"], inside, env, done, commit)
            if not done.ok:
                break
            done.outputs[name] = {key: fill_in(text, inside) for key, text in job.get("outputs", {}).items()}
            values |= {f"needs.{name}.outputs.{key}": text for key, text in done.outputs[name].items()}
        return done

    def action(self, file: Path, inputs: Mapping[str, str]) -> Finished:
        """Run the steps of a composite action in the workspace as it is, as a step of a job that is under way."""
        said = load(file)
        assert set(inputs) <= set(said["inputs"])
        Path(self.temporary).mkdir(parents=True, exist_ok=True)
        done = Finished()
        values: dict[str, Any] = {f"inputs.{name}": each.get("default", "") for name, each in said["inputs"].items()}
        values |= {"failure": False, **{f"inputs.{name}": text for name, text in inputs.items()}}
        self._steps("action", said["runs"]["steps"], values, {"GITHUB_ACTION_PATH": str(file.parent)}, done, "")
        if done.ok:
            done.outputs["action"] = {key: fill_in(each["value"], values) for key, each in said["outputs"].items()}
        return done

    def _steps(
        self, job: str, steps: Any, values: dict[str, Any], env: Mapping[str, str], done: Finished, commit: str
    ) -> None:
        for step in steps:
            of = f"steps.{step.get('id')}"
            if not condition(step.get("if"), values):
                values[f"{of}.skipped"] = True
                continue
            ran = self._use(job, step, values, commit) if "uses" in step else self._run(job, step, values, env)
            done.steps.append(ran)
            values["failure"] = values["failure"] or ran.status != 0
            values |= {f"{of}.outputs.{key}": text for key, text in ran.outputs.items()}

    def _run(self, job: str, step: Mapping[str, Any], values: Values, env: Mapping[str, str]) -> Ran:
        script = self.root / "step.sh"
        script.write_text(step["run"])
        files = {name: self.root / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        own = {name: fill_in(text, values) for name, text in step.get("env", {}).items()}
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if "shell" in step else ["bash", "-e"]
        process = subprocess.run(
            [*bash, str(script)],
            cwd=self.workspace / fill_in(step.get("working-directory", "."), values),
            env={**self.environ, **env, **own, **{name: str(file) for name, file in files.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        print(f"--- {job} / {step['name']} (status {process.returncode})\n{process.stdout}")
        lines = [line.partition("=") for line in files["GITHUB_OUTPUT"].read_text().splitlines()]
        assert all(told for _, told, _ in lines), "an output is name=value"
        outputs = {name: value for name, _, value in lines}
        summary = files["GITHUB_STEP_SUMMARY"].read_text()
        return Ran(job, step["name"], process.returncode, process.stdout, outputs, summary)

    def _use(self, job: str, step: Mapping[str, Any], values: Values, commit: str) -> Ran:
        action = step["uses"].partition("@")[0]
        given = {name: fill_in(text, values) for name, text in step.get("with", {}).items()}
        outputs = {}
        if action == "actions/checkout":
            self.check_out(commit)
        elif action == "actions/setup-python":
            outputs = {"python-path": str(self._python())}
        elif action == "actions/upload-artifact":
            kept = self.root / "artifacts" / given["name"]
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(given["path"], kept)
        elif action == "actions/download-artifact":
            shutil.copytree(self.root / "artifacts" / given["name"], given["path"], dirs_exist_ok=True)
        elif action != "actions/github-script":  # its script has a test of its own
            raise AssertionError(f"{action} is nothing that is done here")
        return Ran(job, action, 0, "", outputs)

    def check_out(self, commit: str) -> None:
        """The workspace, anew, at ``commit``: on the branch where that is its tip, else on none."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        git(self.root, "clone", "-q", str(self.origin), str(self.workspace))
        if git(self.workspace, "rev-parse", "HEAD").strip() != commit:
            git(self.workspace, "checkout", "-q", "--detach", commit)

    def _forget_files(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        Path(self.temporary).mkdir(parents=True)

    def _python(self) -> Path:
        python = self.root / "python" / "bin" / "python"
        if not python.exists():
            uv, locked = Path(sys.executable).with_name("uv"), REPOSITORY / "requirements/cluster.txt"
            subprocess.run(
                [uv, "venv", "--quiet", "--seed", "--python", sys.executable, self.root / "python"], check=True
            )
            # As on a machine that is kept, what all runs need is there; pip is slow with so much.
            subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-r", locked], check=True)
        return python

    @property
    def temporary(self) -> str:
        return str(self.root / "temporary")

    @property
    def environ(self) -> dict[str, str]:
        """What a step has before its YAML adds to it."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        path = f"{self.root / 'python' / 'bin'}:{os.environ['PATH']}"
        ours = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": self.temporary, "PIP_NO_COMPILE": "1"}
        return {**kept, **ours, "PATH": path}
