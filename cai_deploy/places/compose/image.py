"""The image of a cluster's nodes: a Python with the locked environment, named by what it is made from. Pure.

The program of the nodes is not in it: they run a copy in the project directory, so that a new version of this program
needs no new image.
"""

from __future__ import annotations

import sys

from cai_deploy.errors import ConfigError
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.spec import ClusterSpec

ENVIRONMENT = "/opt/cai-deploy/environment"
PYTHON = f"{ENVIRONMENT}/bin/python"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

DOCKERFILE = """\
# The nodes' image: a Python, and the environment that requirements.txt locks. Written by cai_deploy.
# A base with uv, and with settings of its own for it (an index, a cache, offline), is used as it is.
FROM {base}
RUN command -v bash || {{ echo "Ray starts its workers with bash, which {base} does not have"; exit 1; }}
COPY requirements.txt /opt/cai-deploy/requirements.txt
RUN (command -v uv || python -m pip install --no-cache-dir "uv>=0.5,<1") \\
    && uv venv --python "$(command -v python)" {environment} \\
    && uv pip install --link-mode copy --compile-bytecode \\
        --python {environment}/bin/python --requirement /opt/cai-deploy/requirements.txt \\
    && echo '{{"name": "image"}}' > {environment}/ready.json
"""


def base_of(spec: ClusterSpec) -> str:
    """What the image is built on."""
    return spec.compose.base or f"python:{spec.python or HERE}-slim"


def dockerfile(spec: ClusterSpec) -> str:
    """How the image is built."""
    return DOCKERFILE.format(base=base_of(spec), environment=ENVIRONMENT)


def image_of(spec: ClusterSpec, requirements: str | None) -> str:
    """The image that the nodes run: the one asked for, else the one that is built from the lock file."""
    return spec.compose.image or f"cai-deploy/nodes:{fingerprint(dockerfile(spec) + (requirements or ''))}"


def environments_of(spec: ClusterSpec, image: str) -> dict[str, str]:
    """What each group's environment is called below the directory, where it leads into the image.

    Raises ConfigError for one that was pinned: it would be in another image.
    """
    name = f"image-{fingerprint(image)}"
    others = sorted(set(spec.environment.pinned.values()) - {name})
    if others:
        raise ConfigError(
            f"environment.pinned: {', '.join(others)} is not in the image {image}",
            why="the environment of a container is the one of its image",
            next_step="set compose.image to the image that has it, and leave `pinned` out",
        )
    return {group.name: name for group in spec.groups}
