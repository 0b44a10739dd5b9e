"""Docker and Compose at the seam where programs are run: containers that come and go as they are asked to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cai_deploy.errors import CommandFailed
from cai_deploy.places.compose import marks
from cai_deploy.shell import Completed

STARTED = "2026-11-21T14:55:40.123456789Z"


class FakeDocker:
    """``fails`` answers a command that begins with these words with a status; ``versions`` are engine and Compose."""

    def __init__(self) -> None:
        self.containers: list[dict[str, Any]] = []
        self.images: set[str] = set()
        self.said: list[str] = []
        self.fails: dict[str, int] = {}
        self.variables: dict[str, str] = {}
        self.versions = ("28.2.2", "v2.39.1")
        self.info = '["name=seccomp,profile=builtin"]\tsystemd\ttrue\ttrue\n'

    def add(self, group: str, number: int, *, owner: str, cluster: str = "ray", **state: Any) -> str:
        name = f"{marks.project_name(cluster, owner)}-{group}-{number}"
        identity = f"{len(self.said):02x}{number:02x}".ljust(64, "a")
        labels = {
            marks.CLUSTER: cluster,
            marks.OWNER: owner,
            marks.GROUP: group,
            marks.FINGERPRINT: "f",
            marks.PROJECT: marks.project_name(cluster, owner),
            marks.NUMBER: str(number),
        }
        told = {"Status": "running", "ExitCode": 0, "StartedAt": STARTED, "Error": "", **state}
        self.containers.append({"Id": identity, "Name": f"/{name}", "Config": {"Labels": labels}, "State": told})
        return identity

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Completed:
        """What stands in for ``shell.run``."""
        del cwd, timeout
        assert env is not None
        assert "COMPOSE_FILE" not in env
        self.variables |= env
        said = " ".join(argv)
        self.said.append(said)
        for words, status in self.fails.items():
            if said.startswith(words):
                raise CommandFailed(said, status, f"{words} failed")
        return Completed(0, self._answer(list(argv)), "")

    def _answer(self, argv: list[str]) -> str:
        if argv[:2] == ["docker", "ps"]:
            wanted = [each.removeprefix("--filter=label=").split("=") for each in argv if "--filter=label" in each]
            return "\n".join(
                each["Id"]
                for each in self.containers
                if all(each["Config"]["Labels"].get(key) == value for key, value in wanted)
                and (not (ids := [word[12:] for word in argv if word.startswith("--filter=id=")]) or each["Id"] in ids)
            )
        if argv[:3] == ["docker", "container", "inspect"]:
            return json.dumps([each for each in self.containers if each["Id"] in argv[3:]])
        if argv[:2] == ["docker", "version"]:
            return self.versions[0]
        if argv[-2:] == ["version", "--short"]:
            return self.versions[1]
        if argv[:3] == ["docker", "image", "inspect"] and argv[-1] not in self.images:
            raise CommandFailed(" ".join(argv), 1, "no such image")
        if argv[:2] == ["docker", "info"]:
            return self.info
        if argv[:2] == ["docker", "rm"]:
            self.containers = [each for each in self.containers if not each["Id"].startswith(argv[-1])]
        if "up" in argv and "--scale" in argv:
            self._up(argv)
        return ""

    def _up(self, argv: list[str]) -> None:
        service, count = argv[argv.index("--scale") + 1].split("=")
        owner = next((each["Config"]["Labels"][marks.OWNER] for each in self.containers), "0" * 16)
        while True:
            numbers = [
                int(each["Config"]["Labels"][marks.NUMBER])
                for each in self.containers
                if each["Config"]["Labels"][marks.GROUP] == service
            ]
            if len(numbers) >= int(count):
                return
            self.add(service, max(numbers, default=0) + 1, owner=owner)
