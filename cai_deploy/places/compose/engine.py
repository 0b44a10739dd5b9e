"""Docker's engine and Compose, by their own commands. It must not know what a cluster is.

Containers are asked for by their labels; what is told of them is read from JSON, and why a command failed is found out
by looking again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, DeployError
from cai_deploy.places.compose import marks
from cai_deploy.places.compose.answers import (
    TRAITS,
    Container,
    Traits,
    read_containers,
    read_traits,
    version_of,
)
from cai_deploy.places.compose.errors import (
    DockerRefused,
    EngineSilent,
    NoCompose,
    NoDocker,
    NotAllowed,
    TooOld,
    said,
)

NOT_FOUND = 127
OLDEST_ENGINE = (20, 10)
OLDEST_COMPOSE = (2, 20)
PLUGIN, PROGRAM = ("docker", "compose"), ("docker-compose",)

PATIENCE = 60.0
LOOKS = 3
"""A container may go between the two commands that one look takes."""

QUIET = {"COMPOSE_IGNORE_ORPHANS": "1", "COMPOSE_ANSI": "never", "COMPOSE_PROGRESS": "plain"}
DEFAULTS_OF_COMMANDS = ("COMPOSE_",)
"""Variables by which a shell would change what Compose does, beside what we ask."""


class Engine:
    """The engine that this shell's variables lead to. ``patience`` is how long a short command may take."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, patience: float = PATIENCE) -> None:
        kept = {name: value for name, value in environ.items() if not name.startswith(DEFAULTS_OF_COMMANDS)}
        self._env = {**kept, **QUIET}
        self._patience = patience
        self._compose: tuple[str, ...] = ()

    def containers(self, cluster: str, owner: str) -> tuple[Container, ...]:
        """All that have our mark, those too that do not run."""
        labels = [f"--filter=label={key}={value}" for key, value in ((marks.CLUSTER, cluster), (marks.OWNER, owner))]
        for left in reversed(range(LOOKS)):
            ids = self._docker("ps", "--all", "--quiet", "--no-trunc", *labels).split()
            try:
                return read_containers(self._docker("container", "inspect", *ids)) if ids else ()
            except DockerRefused:
                if not left:
                    raise
        return ()

    def check(self) -> tuple[str, str]:
        """The versions of the engine and of Compose. Raises DeployError where one is missing or too old."""
        engine = self._docker("version", "--format={{.Server.Version}}").strip()
        if version_of(engine) < OLDEST_ENGINE:
            raise TooOld("Docker's engine", engine, _dotted(OLDEST_ENGINE))
        return engine, self._compose_version()

    def traits(self) -> Traits:
        """What it can do."""
        return read_traits(self._docker("info", f"--format={TRAITS}"))

    def has_image(self, image: str) -> bool:
        """Whether the engine has it."""
        try:
            self._docker("image", "inspect", "--format={{.Id}}", image)
        except DockerRefused:  # it answers, and does not know it
            return False
        return True

    def pull(self, image: str, seconds: float) -> None:
        """Have the engine fetch it, within so many seconds."""
        self._run(["docker", "pull", "--quiet", image], f"the image {image} cannot be had", seconds)

    def build(self, image: str, directory: str, seconds: float) -> None:
        """Have the engine build it from what is in ``directory``, within so many seconds."""
        self._run(["docker", "build", f"--tag={image}", directory], f"the image {image} cannot be built", seconds)

    def compose(
        self, arguments: Sequence[str], seconds: float, what: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """Run Compose, with ``variables`` for its file; ``what`` is told when it does not do it."""
        self.check()
        self._run([*self._compose, *arguments], what, seconds, variables)

    def stop(self, container: str, seconds: int) -> None:
        """Tell it to end, kill it after so many seconds, and remove it. One that is gone already is no error."""
        for command in (["stop", f"--time={seconds}"], ["rm", "--force", "--volumes"]):
            try:
                self._run(["docker", *command, container], f"the container {container} does not go", seconds + 60)
            except DockerRefused:
                if self._is_there(container):
                    raise

    def restart(self, container: str, seconds: int) -> None:
        """Have it end and begin again."""
        what = f"the container {container} cannot be started anew"
        self._run(["docker", "restart", f"--time={seconds}", container], what, seconds + 60)

    def output(self, container: str, lines: int) -> str:
        """What it printed last."""
        done = self._raw(["docker", "logs", f"--tail={lines}", container], self._patience)
        return done.stdout + done.stderr

    def _is_there(self, container: str) -> bool:
        return bool(self._docker("ps", "--all", "--quiet", "--no-trunc", f"--filter=id={container}").strip())

    def _compose_version(self) -> str:
        failures: list[str] = []
        for command in (PLUGIN, PROGRAM):
            try:
                version = self._raw([*command, "version", "--short"], self._patience).stdout.strip()
            except CommandFailed as failed:
                failures.append(said(failed))
                continue
            if version_of(version) < OLDEST_COMPOSE:
                raise TooOld("Docker Compose", version, _dotted(OLDEST_COMPOSE))
            self._compose = command
            return version
        raise NoCompose("\n".join(failures))

    def _docker(self, *arguments: str) -> str:
        return self._run(["docker", *arguments], f"docker {arguments[0]} failed", self._patience)

    def _run(self, argv: Sequence[str], what: str, seconds: float, variables: Mapping[str, str] | None = None) -> str:
        try:
            return self._raw(argv, seconds, variables).stdout
        except CommandFailed as failed:
            raise self._explained(failed, what) from failed

    def _raw(self, argv: Sequence[str], seconds: float, variables: Mapping[str, str] | None = None) -> shell.Completed:
        return shell.run(argv, env={**self._env, **(variables or {})}, timeout=seconds)

    def _explained(self, failed: CommandFailed, what: str) -> DeployError:
        """Why a command failed, by whether the engine answers at all."""
        if failed.status == NOT_FOUND:
            return NoDocker()
        try:
            self._raw(["docker", "version", "--format={{.Server.Version}}"], self._patience)
        except CommandFailed as silent:
            where = self._where()
            socket = Path(where.removeprefix("unix://"))
            if where.startswith("unix://") and socket.exists() and not os.access(socket, os.R_OK | os.W_OK):
                return NotAllowed(str(socket), self._rootless_besides(socket))
            return EngineSilent(where or "any address", said(silent), self._rootless_besides(socket))
        return DockerRefused(what, said(failed))

    def _rootless_besides(self, asked: Path) -> str:
        """The address of a rootless engine of ours that is there and was not the one ``asked``, "" for none."""
        runtime = self._env.get("XDG_RUNTIME_DIR", "")
        socket = Path(runtime, "docker.sock")
        return f"unix://{socket}" if runtime and socket.is_socket() and socket != asked else ""

    def _where(self) -> str:
        """At which address the engine is asked, "" when not even that is known."""
        try:
            asked = ["docker", "context", "inspect", "--format={{.Endpoints.docker.Host}}"]
            return self._env.get("DOCKER_HOST") or self._raw(asked, self._patience).stdout.strip()
        except CommandFailed:
            return ""


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
