"""The environment of a workload: built up from nothing, as an image and an administrator would, never inherited.

Only what leads to packages (indexes, proxies, certificates, caches) is passed on from the machine. Pure but for
looking at which files exist; values may hold credentials, so nothing in here logs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy.local_workspace.kubelet.members import WORKLOAD_ID

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_PREFIXES = ("PIP_", "UV_")
_PASSED = {
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
}
# These say where the caller works, not where packages come from.
_NEVER_PASSED = {
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIRECTORY",
    "UV_PYTHON",
    "UV_ENV_FILE",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
}


@dataclass(frozen=True)
class Facts:
    """What a workload is told about itself and its workspace."""

    workload_id: str
    engine_id: str
    project_id: str
    project_name: str
    project_dir: Path
    tools: Path
    scratch: str
    api_port: int
    api_key: str
    address: str
    app_port: int
    cpu: float
    memory_gb: float


def workload_environment(facts: Facts, *layers: Mapping[str, str]) -> dict[str, str]:
    """Everything a workload's process gets; later ``layers`` (project, object, run) win over earlier ones."""
    environment = passed_on(os.environ) | {
        "HOME": str(facts.project_dir),
        "PATH": f"{facts.tools}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "TERM": "xterm-color",
        "USER": "cdsw",
        "LOGNAME": "cdsw",
        "SHELL": "/bin/sh",
        "TMPDIR": facts.scratch,
        "CDSW_PROJECT_ID": facts.project_id,
        "CDSW_PROJECT": facts.project_name,
        "CDSW_DOMAIN": f"localhost:{facts.api_port}",
        "CDSW_API_URL": f"http://localhost:{facts.api_port}/api/v1",
        "CDSW_APIV2_KEY": facts.api_key,
        "CDSW_APP_PORT": str(facts.app_port),
        "CDSW_READONLY_PORT": str(facts.app_port),
        "CDSW_PUBLIC_PORT": str(facts.app_port),
        "CDSW_APP_POLLING_ENDPOINT": "/",
        "CDSW_IP_ADDRESS": facts.address,
        "CDSW_ENGINE_ID": facts.engine_id,
        "CDSW_CPU_MILLICORES": str(int(facts.cpu * 1000)),
        "CDSW_MEMORY_MB": str(int(facts.memory_gb * 1024)),
    }
    for layer in layers:
        environment |= layer
    return environment | {WORKLOAD_ID: facts.workload_id}


def passed_on(outer: Mapping[str, str]) -> dict[str, str]:
    """The settings of this machine that an administrator would have put into the workspace."""
    environment = {
        name: value
        for name, value in outer.items()
        if name in _PASSED or (name.startswith(_PASSED_PREFIXES) and name not in _NEVER_PASSED)
    }
    user = Path(outer.get("HOME") or "/nonexistent")
    settings = Path(outer.get("XDG_CONFIG_HOME") or user / ".config")
    cache = Path(outer.get("XDG_CACHE_HOME") or user / ".cache")
    for name, files in {
        "PIP_CONFIG_FILE": (settings / "pip" / "pip.conf", user / ".pip" / "pip.conf"),
        "UV_CONFIG_FILE": (settings / "uv" / "uv.toml",),
    }.items():
        for file in files:
            if os.access(file, os.R_OK):
                environment.setdefault(name, str(file))
    environment.setdefault("UV_CACHE_DIR", str(cache / "uv"))
    return environment


def memory_bytes(shown: Mapping[str, Any], share: float) -> int:
    """A share of an object's memory in bytes."""
    return int(float(shown["memory"]) * share * (1 << 30))
