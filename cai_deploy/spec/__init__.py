"""ClusterSpec: what is wanted, as a value.

Frozen models without I/O. They say what a specification may hold and nothing about where it comes from (``config.py``)
or how it is reached (``plan/``, ``places/``). ``cai-deploy.yaml`` at the top of the repository is the annotated example
of every field here; a test keeps the two together.
"""

from cai_deploy.spec.change import Timeouts, Update
from cai_deploy.spec.cluster import ClusterSpec
from cai_deploy.spec.nodes import HEAD, HeadGroup, NodeGroup, Resources, WorkerGroup
from cai_deploy.spec.part import NAME_PATTERN, Authentication
from cai_deploy.spec.ports import Ports
from cai_deploy.spec.project import DEFAULT_LOCK, Environment, Project
from cai_deploy.spec.schedule import OfficeHours, Schedule, ScheduledJob
from cai_deploy.spec.upkeep import Idle, Watchdog

__all__ = [
    "DEFAULT_LOCK",
    "HEAD",
    "NAME_PATTERN",
    "Authentication",
    "ClusterSpec",
    "Environment",
    "HeadGroup",
    "Idle",
    "NodeGroup",
    "OfficeHours",
    "Ports",
    "Project",
    "Resources",
    "Schedule",
    "ScheduledJob",
    "Timeouts",
    "Update",
    "Watchdog",
    "WorkerGroup",
]
