"""The objects of the contract that a deployer sends and reads.

Reading is lenient (the workspace adds fields, sends numbers as strings, leaves lists out); sending is strict. An
``environment`` goes out as an object and comes back as JSON text; here it is always a dictionary. It is kept out of
every repr, as the platform mixes credentials into it.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _environment(value: object) -> object:
    """JSON text, an object or nothing -> a dictionary of strings."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            return {}
    if not isinstance(value, dict):
        return {}
    return {str(name): text if isinstance(text, str) else json.dumps(text) for name, text in value.items()}


def _text(value: object) -> object:
    return "" if value is None else value


EnvironmentMap = Annotated[dict[str, str], BeforeValidator(_environment)]
Text = Annotated[str, BeforeValidator(_text)]


class Answer(BaseModel):
    """What the workspace returns."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Body(BaseModel):
    """What we send. ``body()`` is exactly what travels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def body(self) -> dict[str, Any]:
        """The JSON object, without what was left open."""
        return self.model_dump(exclude_none=True)


AnswerType = TypeVar("AnswerType", bound=Answer)


class Project(Answer):
    """A project. ``creation_status`` is creating, then success or failure."""

    id: str
    name: Text = ""
    creation_status: Text = ""
    default_engine_type: Text = ""
    environment: EnvironmentMap = Field(default_factory=dict, repr=False)


class CreateProjectRequest(Body):
    """A new project; with ``template`` git it clones ``git_url``. ``shared_memory_limit`` is in MB."""

    name: str
    description: str | None = None
    template: str | None = None
    git_url: str | None = None
    git_ref: str | None = None
    default_project_engine_type: str | None = None
    shared_memory_limit: int | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)


class FileInfo(Answer):
    """A directory entry; ``path`` is a base name. ``file_size`` in bytes, None for a directory."""

    path: str
    is_dir: bool = False
    file_size: Annotated[int | None, BeforeValidator(lambda value: value or None)] = None


class Job(Answer):
    """A job."""

    id: str
    name: Text = ""
    script: Text = ""
    runtime_identifier: Text = ""
    arguments: Text = ""
    environment: EnvironmentMap = Field(default_factory=dict, repr=False)


class CreateJobRequest(Body):
    """A new job. ``timeout`` in seconds; ``cpu`` in vCPU, ``memory`` in GB."""

    project_id: str
    name: str
    script: str
    runtime_identifier: str | None = None
    cpu: float | None = None
    memory: float | None = None
    nvidia_gpu: int | None = None
    arguments: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)
    timeout: int | None = None
    kill_on_timeout: bool | None = None
    schedule: str | None = None
    timezone: str | None = None
    parent_id: str | None = None


class JobRun(Answer):
    """One execution of a job. ``status`` is the workspace's own word (``ENGINE_RUNNING``)."""

    id: str
    job_id: Text = ""
    status: Text = "ENGINE_UNKNOWN"
    arguments: Text = ""
    created_at: Text = ""


class CreateJobRunRequest(Body):
    """What differs for this run alone."""

    arguments: str | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)


class Application(Answer):
    """An application. ``status`` is the workspace's own word (``APPLICATION_RUNNING``)."""

    id: str
    name: Text = ""
    subdomain: Text = ""
    description: Text = ""
    script: Text = ""
    status: Text = "APPLICATION_UNKNOWN"
    cpu: float = 0
    memory: float = 0
    nvidia_gpu: int = 0
    bypass_authentication: bool = False
    runtime_identifier: Text = ""
    environment: EnvironmentMap = Field(default_factory=dict, repr=False)


class CreateApplicationRequest(Body):
    """A new application; it starts at once. ``cpu`` in vCPU, ``memory`` in GB."""

    project_id: str
    name: str
    subdomain: str
    script: str
    description: str | None = None
    cpu: float | None = None
    memory: float | None = None
    nvidia_gpu: int | None = None
    runtime_identifier: str | None = None
    bypass_authentication: bool | None = None
    environment: dict[str, str] | None = Field(default=None, repr=False)


class Runtime(Answer):
    """A runtime image; ``image_identifier`` is what is sent as ``runtime_identifier``."""

    image_identifier: str
    editor: Text = ""
    kernel: Text = ""
    edition: Text = ""
    full_version: Text = ""
    status: Text = ""

    @property
    def python_version(self) -> str | None:
        """``3.11`` for the kernel ``Python 3.11``, None for other languages."""
        found = re.fullmatch(r"Python (\d+\.\d+)(\.\d+)?", self.kernel.strip())
        return found.group(1) if found else None
