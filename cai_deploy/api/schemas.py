"""The objects of the workspace, in its own words: what we read of them and what we send to create them.

A status is kept as the server wrote it; ``known_status`` is our reading of it, in which a word that we don't know is
UNKNOWN. Environments are left out of every repr, as the platform adds credentials to them. This module must not know
how objects travel.
"""

from __future__ import annotations

import re

from pydantic import Field

from cai_deploy.api.schema_base import Answer, Environment, Number, Request
from cai_deploy.api.statuses import ApplicationStatus, EngineStatus


class Project(Answer):
    """``creation_status`` is creating, then success or failure; ``shared_memory_limit`` is in MB."""

    id: str = ""
    name: str = ""
    description: str = ""
    slug: str = ""
    visibility: str = ""
    creation_status: str = ""
    default_engine_type: str = ""
    shared_memory_limit: Number = 0
    environment: Environment = Field(default_factory=dict, repr=False)
    created_at: str = ""
    updated_at: str = ""


class CreateProjectRequest(Request):
    """``shared_memory_limit`` in MB."""

    name: str
    description: str | None = None
    visibility: str | None = None
    template: str | None = None
    git_url: str | None = None
    git_ref: str | None = None
    default_project_engine_type: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)
    shared_memory_limit: int | None = None
    team_name: str | None = None


class FileInfo(Answer):
    """``path`` is the base name within the directory that was listed; ``file_size`` in bytes."""

    path: str = ""
    is_dir: bool = False
    file_size: Number = 0


class Job(Answer):
    """``timeout`` and ``retry_delay`` in seconds, ``memory`` in GB, ``cpu`` in vCPU."""

    id: str = ""
    name: str = ""
    script: str = ""
    arguments: str = ""
    type: str = ""
    schedule: str = ""
    timezone: str = ""
    parent_id: str = ""
    paused: bool = False
    timeout: Number = 0
    kill_on_timeout: bool = False
    retry_enabled: bool = False
    max_retry: Number = 0
    retry_delay: Number = 0
    cpu: float = 0.0
    memory: float = 0.0
    nvidia_gpu: Number = 0
    runtime_identifier: str = ""
    runtime_addon_identifiers: tuple[str, ...] = ()
    environment: Environment = Field(default_factory=dict, repr=False)
    created_at: str = ""


class CreateJobRequest(Request):
    """``timeout`` and ``retry_delay`` in seconds, ``memory`` in GB, ``cpu`` in vCPU.

    ``schedule`` and ``parent_id`` exclude each other.
    """

    project_id: str
    name: str
    script: str
    runtime_identifier: str | None = None
    runtime_addon_identifiers: tuple[str, ...] | None = None
    arguments: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)
    cpu: float | None = None
    memory: float | None = None
    nvidia_gpu: int | None = None
    accelerator_label_id: str | None = None
    timeout: int | None = None
    kill_on_timeout: bool | None = None
    schedule: str | None = None
    timezone: str | None = None
    paused: bool | None = None
    parent_id: str | None = None
    retry_enabled: bool | None = None
    max_retry: int | None = None
    retry_delay: int | None = None
    retry_for_script_failure: bool | None = None
    retry_for_system_failure: bool | None = None
    retry_for_timedout_runs: bool | None = None


class JobRun(Answer):
    """One run of a job; the times are RFC 3339 text, "" for what has not happened."""

    id: str = ""
    project_id: str = ""
    job_id: str = ""
    status: str = ""
    arguments: str = ""
    environment: Environment = Field(default_factory=dict, repr=False)
    runtime_identifier: str = ""
    created_at: str = ""
    scheduling_at: str = ""
    starting_at: str = ""
    running_at: str = ""
    finished_at: str = ""

    @property
    def known_status(self) -> EngineStatus:
        """The status, UNKNOWN for a word that we don't know."""
        return EngineStatus(self.status)


class CreateJobRunRequest(Request):
    """What differs in one run from its job."""

    arguments: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)


class Application(Answer):
    """``memory`` in GB, ``cpu`` in vCPU. ``environment`` holds the project's variables too."""

    id: str = ""
    name: str = ""
    description: str = ""
    subdomain: str = ""
    script: str = ""
    status: str = ""
    cpu: float = 0.0
    memory: float = 0.0
    nvidia_gpu: Number = 0
    bypass_authentication: bool = False
    runtime_identifier: str = ""
    runtime_addon_identifiers: tuple[str, ...] = ()
    environment: Environment = Field(default_factory=dict, repr=False)
    created_at: str = ""
    starting_at: str = ""
    running_at: str = ""
    stopped_at: str = ""

    @property
    def known_status(self) -> ApplicationStatus:
        """The status, UNKNOWN for a word that we don't know."""
        return ApplicationStatus(self.status)


class CreateApplicationRequest(Request):
    """``memory`` in GB, ``cpu`` in vCPU."""

    project_id: str
    name: str
    subdomain: str
    script: str
    description: str | None = None
    runtime_identifier: str | None = None
    runtime_addon_identifiers: tuple[str, ...] | None = None
    cpu: float | None = None
    memory: float | None = None
    nvidia_gpu: int | None = None
    accelerator_label_id: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)
    bypass_authentication: bool | None = None


class Runtime(Answer):
    """An image that code can run on. ``image_identifier`` is its name everywhere; ``status`` ENABLED means usable."""

    image_identifier: str = ""
    editor: str = ""
    kernel: str = ""
    edition: str = ""
    description: str = ""
    full_version: str = ""
    status: str = ""

    @property
    def python_version(self) -> str | None:
        """``3.11`` for the kernel ``Python 3.11``; None for a kernel of another language."""
        match = re.fullmatch(r"Python (\d+\.\d+)", self.kernel.strip())
        return match.group(1) if match else None


class RuntimeAddon(Answer):
    """Something that is mounted into a runtime; ``status`` AVAILABLE means usable."""

    identifier: str = ""
    component: str = ""
    display_name: str = ""
    status: str = ""


class Quota(Answer):
    """Amounts: vCPU, GB, and GPUs. "" is no limit, or not known."""

    cpu: str = ""
    memory: str = ""
    nvidia_gpu: str = ""


class QuotaUser(Answer):
    """Whose quota it is."""

    user_name: str = ""


class UserQuota(Answer):
    """What one user may use, and what they use now."""

    user: QuotaUser = QuotaUser()
    quota_usage: Quota = Quota()
    quota_configured: Quota = Quota()


class AcceleratorLabel(Answer):
    """A kind of GPU that the workspace has; ``max_gpu_per_workload`` is 0 where nothing is said."""

    id: str = ""
    label_key: str = ""
    label_value: str = ""
    availability: bool = False
    max_gpu_count: Number = 0
    max_gpu_per_workload: Number = 0
