"""Groundwork in a directory that is simply there: whether it stands, and making it.

What makes an environment is the same as in a workspace, on the machine that we run on: a login node has the compilers
and the network that a machine for jobs may lack.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.errors import ConfigError
from cai_deploy.places.code import copy_code
from cai_deploy.places.directory import DirectoryFiles, DirectoryTrouble
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.project.environment import build_environment, environment_name, is_ready, keep_out_of_git
from cai_deploy.render import LAUNCHER_SIGN
from cai_deploy.state import Ground, GroundState, Request, Step, WantedGround

FILES = ("launcher", "specification", "record")


@dataclass(frozen=True)
class GroundInDirectory:
    """The groundwork of clusters whose directory is ``root``."""

    root: Path

    @property
    def files(self) -> DirectoryFiles:
        """What stands in it."""
        return DirectoryFiles(self.root)

    def look(self, wanted: Sequence[WantedGround]) -> tuple[Ground, ...]:
        """How each of ``wanted`` stands."""
        return tuple(self._look_at(want) for want in wanted)

    def apply(self, step: Step) -> None:
        """Make it. Returns when it stands, which takes minutes for an environment. Raises DeployError."""
        request = step.request or {}
        try:
            keep_out_of_git(self.root)
            if step.kind == "environment":
                self._build(request["build"], request["seconds"])
            elif step.kind == "code":
                copy_code(self.root, step.name)
            else:
                self._write(step.kind, request["body"])
        except OSError as error:
            raise DirectoryTrouble(f"make the {step.kind} {step.name} in {self.root}", self.root, error) from error

    def strange(self, path: str) -> bool:
        """Whether something stands at ``path`` that is no launcher of ours."""
        text = self.files.read_text(path)
        return text is not None and LAUNCHER_SIGN not in text

    def _look_at(self, want: WantedGround) -> Ground:
        if want.kind in FILES:
            text = self.files.read_text(want.name)
            there, found = text is not None, fingerprint(text or "")
        elif want.kind == "environment":
            there, found = is_ready(self.root, want.name), want.fingerprint
        else:
            there, found = self.files.exists(want.request["path"]), want.fingerprint
        return Ground(want.kind, want.name, GroundState.READY if there else GroundState.ABSENT, found if there else "")

    def _build(self, build: Request, seconds: float) -> None:
        requirements, name = build["requirements"], build["environment"]
        locked = environment_name(self.files.read_text(requirements) or "", build["python"], build["runtime"])
        if name != locked:
            raise ConfigError(
                f"{requirements} makes {locked}, not {name}",
                why="the environment that is asked for is not here any more, or the lock file has just changed",
                next_step="run the same command again, without going back to what ran before",
            )
        build_environment(self.root, Path(requirements), build["python"], name, timeout=seconds)

    def _write(self, kind: str, body: Request) -> None:
        if kind == "launcher" and self.strange(body["path"]):
            raise ConfigError(
                f"{body['path']} in {self.root} was not written by cai_deploy", next_step="move it away first"
            )
        self.files.upload(body["path"], body["content"].encode())


def require_files(missing_scripts: Collection[str], strange_files: Collection[str], directory: str) -> None:
    """What nodes run has to stand in ``directory``. Raises ConfigError: a node without it would only fail, later."""
    if missing_scripts:
        raise ConfigError(
            f"script: {', '.join(sorted(missing_scripts))} is not in {directory}",
            next_step="put it there, or name one that is there",
        )
    if strange_files:
        raise ConfigError(
            f"{', '.join(sorted(strange_files))} in {directory} was not written by cai_deploy",
            why="a launcher of this cluster is to stand there",
            next_step="move it away, or give the cluster another name; to run it, name it as `script` of its group",
        )
