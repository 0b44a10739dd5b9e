"""What ``doctor`` looks at where nodes are containers: Docker's engine, Compose, image, directory and ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from cai_deploy.cli.checks import Check
from cai_deploy.errors import DeployError
from cai_deploy.node.file_system import why_unfit
from cai_deploy.places.compose.answers import Traits
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.errors import HEAD_ON_IT, OnlyItsOwnNetwork
from cai_deploy.places.compose.image import base_of
from cai_deploy.places.compose.marks import owner_of
from cai_deploy.spec import ClusterSpec


def look_at(spec: ClusterSpec, directory: Path, engine: Engine) -> Iterator[Check]:
    """Whether the cluster's containers can be made here, and its files be kept in ``directory``."""
    yield look_at_directory(directory)
    try:
        version, compose = engine.check()
        traits = engine.traits()
        rootless = " (rootless)" if traits.rootless else ""
        yield Check("docker", f"engine {version}{rootless} answers, Compose {compose}")
        yield from look_at_limits(traits)
        if spec.compose.address and traits.rootless:
            yield Check.failed("network", OnlyItsOwnNetwork(HEAD_ON_IT))
        yield look_at_image(spec, engine)
        if not engine.containers(spec.name, owner_of(str(directory))):
            yield look_at_ports(spec)
    except DeployError as error:
        yield Check.failed("docker", error)


def look_at_directory(directory: Path) -> Check:
    """Whether the head can keep its state there."""
    why = "" if directory.is_dir() and os.access(directory, os.W_OK) else "it is no directory that you may write in"
    why = why or why_unfit(directory)
    if why:
        unfit = DeployError(f"{directory} is not fit for a head's state: {why}", next_step="set compose.directory")
        return Check.failed("directory", unfit)
    return Check("directory", f"{directory} can be written, locks exclude and renames replace")


def look_at_limits(traits: Traits) -> Iterator[Check]:
    """Whether nodes get no more than they are given."""
    if traits.refuses_cpus:
        delegate = "give it the controller of CPUs: Delegate=cpu cpuset io memory pids for user@.service, in systemd"
        refusal = DeployError("the engine may not limit CPUs, and starts no container that has `cpu`")
        yield Check("limits", str(refusal), delegate if traits.rootless else "see `docker info`", refusal.exit_code)
    elif not traits.limits:
        found = "the engine holds no container to its `cpu` and `memory_gb`: a node can take all of this machine"
        yield Check.warned("limits", found, "boot with cgroup v2 and delegate it to you, or leave room for others")


def look_at_image(spec: ClusterSpec, engine: Engine) -> Check:
    """Whether the image is here, or what it will come from."""
    image = spec.compose.image
    if image is None:
        base = base_of(spec)
        return Check("image", f"is built on {base}, which is {'here' if engine.has_image(base) else 'pulled first'}")
    return Check("image", f"{image} is {'here' if engine.has_image(image) else 'pulled first'}")


def look_at_ports(spec: ClusterSpec) -> Check:
    """Whether what is to be published is free on this host."""
    wanted = {"dashboard": spec.ports.dashboard, "client": spec.ports.client}
    taken = [f"{name} {port}" for name, port in wanted.items() if not _is_free(spec.compose.publish, port)]
    if taken:
        held = DeployError(f"another program has {', '.join(taken)}", next_step="set other numbers in `ports`")
        return Check.failed("ports", held)
    return Check("ports", f"{', '.join(map(str, wanted.values()))} are free at {spec.compose.publish}")


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
