"""The Python API: a cluster as a value that is launched, scaled, given work and taken down; two functions beside it.

The same journeys as the command line, for code that would rather not run a process. All of it is synchronous, and
raises DeployError with a next step as the command line shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cai_deploy import connection as connection_file
from cai_deploy.access import Access
from cai_deploy.config import with_workers
from cai_deploy.connection import ConnectionInfo
from cai_deploy.deploy import launch, tear_down
from cai_deploy.errors import ConnectionFileError, DeployError
from cai_deploy.logs import last_lines
from cai_deploy.overview import Head, Overview
from cai_deploy.places.base import PlaceObservation
from cai_deploy.reconcile import Converged, Progress
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, Observation, Plan, Step
from cai_deploy.submission.follow import Pace
from cai_deploy.submission.jobs import Request
from cai_deploy.submission.preparation import BUDGET, Wish
from cai_deploy.submission.ray_jobs import open_jobs
from cai_deploy.submission.sending import send
from cai_deploy.submission.submit import already_there, entrypoint_of, new_id
from cai_deploy.submitted import SubmittedJob
from cai_deploy.workspace import Workspace

GIGABYTE = 1024**3


class Silent:
    """A watcher who says nothing; pass your own ``Progress`` to hear more."""

    def looked(self, plan: Plan, seen: Observation) -> None:
        """Nothing."""

    def applying(self, step: Step) -> None:
        """Nothing."""


def _ignore(text: str) -> None:
    """For a caller who wants no story."""


class Cluster:
    """One cluster of the workspace that the environment names (``CML_HOST``), or of the local one.

    Made by :meth:`launch`, :meth:`attach` or :meth:`from_connection`. It holds nothing open. As a context manager it
    takes the cluster down at the end if it was launched with ``down_at_end``; a cluster outlives its program otherwise.

    >>> with Cluster.launch(ClusterSpec(name="mine"), workers=2, down_at_end=True) as cluster:  # doctest: +SKIP
    ...     job = cluster.submit(["python", "train.py"]).wait(show=True)
    ...     cluster.scale(3)
    """

    def __init__(self, session: Session, *, progress: Progress | None = None, down_at_end: bool = False) -> None:
        self._session = session
        self._progress = progress or Silent()
        self._down_at_end = down_at_end

    @classmethod
    def launch(
        cls,
        spec: ClusterSpec | None = None,
        *,
        workers: int | None = None,
        config: Path | None = None,
        workspace: Workspace | None = None,
        progress: Progress | None = None,
        say: Callable[[str], None] = _ignore,
        down_at_end: bool = False,
    ) -> Cluster:
        """Bring a cluster up, or to its specification, and return once all nodes are ALIVE. Twice changes nothing.

        ``spec`` counts, or else the file ``config``, or else ``cai-deploy.yaml`` here, or else what the cluster was
        last launched with; ``workers`` is the number in the first group. ``workspace`` counts instead of the one that
        the environment names. ``progress`` hears each step, ``say`` the story.
        """
        session = open_session(config, spec=spec, workspace=workspace, tell=say)
        cluster = cls(session, progress=progress, down_at_end=down_at_end)
        cluster._reach(with_workers(session.spec_to_launch(), workers))
        return cluster

    @classmethod
    def attach(
        cls,
        name: str | None = None,
        *,
        config: Path | None = None,
        workspace: Workspace | None = None,
        progress: Progress | None = None,
        say: Callable[[str], None] = _ignore,
    ) -> Cluster:
        """The cluster called ``name``, or as ``config`` (or ``cai-deploy.yaml`` here) calls it, which runs already."""
        opened = open_session(config, workspace=workspace, tell=say)
        spec = opened.configured
        session = replace(opened, configured=spec.model_copy(update={"name": name or spec.name}), from_file=False)
        cluster = cls(session, progress=progress)
        if session.observe_cluster().applied_spec is None:
            raise DeployError(f"there is no cluster {cluster.name} here", next_step="make it with Cluster.launch")
        return cluster

    @classmethod
    def from_connection(cls, connection: ConnectionInfo | Path | str) -> Cluster:
        """The cluster of a connection file, given as its contents or by its path. It has to be in this workspace.

        Raises ConnectionFileError for a file that is missing or that another cluster wrote.
        """
        info = connection if isinstance(connection, ConnectionInfo) else connection_file.load(Path(connection))
        if info is None:
            raise ConnectionFileError(f"{connection} does not exist", next_step="see whether the cluster runs")
        cluster = cls.attach(info.cluster)
        running = cluster.connection
        if running.dashboard_url != info.dashboard_url:
            raise ConnectionFileError(
                f"the connection file is of another cluster {info.cluster}",
                why=f"it is at {info.dashboard_url}, the one in this workspace at {running.dashboard_url}",
                next_step="set CML_HOST and CML_PROJECT_ID to where the cluster runs",
            )
        return cluster

    def __repr__(self) -> str:
        return f"Cluster({self.name!r})"

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._down_at_end:
            self.down()

    @property
    def name(self) -> str:
        """What it is called in its workspace."""
        return self._session.configured.name

    @property
    def spec(self) -> ClusterSpec:
        """What it was last launched with."""
        return self._session.spec_in_force()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Its nodes as the workspace and Ray show them now."""
        return self._look().nodes

    @property
    def connection(self) -> ConnectionInfo:
        """Where its head is now. Raises NoHead when there is none that answers."""
        seen = self._look()
        if seen.connection is None:
            self._session.access()  # says why
            raise DeployError(f"the head of cluster {self.name} says nothing of itself, as it runs an inline command")
        return seen.connection

    @property
    def access(self) -> Access:
        """How an HTTP client reaches its head: an address, and headers that no text shows. Raises NoHead."""
        return self._session.access()

    @property
    def overview(self) -> Overview:
        """Nodes, jobs and events as the head tells them now. Raises NoHead."""
        return Head(self.access).overview()

    def scale(self, workers: int, group: str | None = None) -> None:
        """Change the number of workers in ``group`` (the first one if not given); returns when they are as many."""
        self._reach(with_workers(self.spec, workers, group))

    def submit(
        self,
        command: str | Sequence[str],
        *,
        working_dir: Path | str | None = None,
        runtime_env: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        wheels: Sequence[Path] = (),
        build_wheels: bool = False,
        uv: Sequence[str] = (),
        pip: Sequence[str] = (),
        num_cpus: float = 0,
        num_gpus: float = 0,
        memory_gb: float = 0,
        resources: Mapping[str, float] | None = None,
        metadata: Mapping[str, str] | None = None,
        submission_id: str | None = None,
        on_head: bool = False,
        say: Callable[[str], None] = _ignore,
    ) -> SubmittedJob:
        """Have the cluster run ``command``, with ``working_dir`` (this directory if not given); returns once it has it.

        A command is a list of words, or one shell line. What goes along, and where it runs, is as with the verb
        ``submit``. Needs Ray's client here: ``pip install 'cai-deploy[submit]'``.
        """
        asked = Request(
            submission_id or new_id(),
            entrypoint_of([command] if isinstance(command, str) else command),
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            memory=int(memory_gb * GIGABYTE),
            resources=resources or {},
            metadata=metadata or {},
        )
        wish = Wish(
            working_dir=Path(working_dir) if working_dir else None,
            runtime_env=runtime_env or {},
            env=env or {},
            wheels=wheels,
            build=build_wheels,
            uv=uv,
            pip=pip,
            num_cpus=num_cpus,
            max_size=BUDGET,
        )
        jobs = open_jobs(self._session.access(patience=Pace.patience))
        if not (submission_id and already_there(jobs, asked.id, asked.entrypoint)):
            send(jobs, wish, asked, say=say, patience=Pace.patience, on_head=on_head)
        return SubmittedJob(jobs, asked.id)

    def job(self, job_id: str) -> SubmittedJob:
        """A job that was submitted earlier, here or elsewhere."""
        return SubmittedJob(open_jobs(self._session.access(patience=Pace.patience)), job_id)

    def logs(self, node: str, *, tail: int = 100) -> list[str]:
        """The last lines of what ``node`` has written, be it there or gone."""
        files = self._session.place.logs(self._session.configured)
        return last_lines(files, files.sizes(), node, count=tail)[0]

    def down(self) -> None:
        """Remove it; returns when an observation finds none of its nodes. Project and environment stay."""
        tear_down(self._session.place, self._session.configured, self._progress)

    def _reach(self, spec: ClusterSpec) -> None:
        launch(self._session.place, spec, self._progress)
        # From now on this is what it is to be, whatever a file says.
        self._session = replace(self._session, configured=spec, from_file=False)

    def _look(self) -> PlaceObservation:
        return self._session.observe_cluster()


def start_cluster(
    head_script_path: str | None = None,
    worker_script_path: str | None = None,
    *,
    workers: int | None = None,
    config: Path | None = None,
) -> Converged[PlaceObservation]:
    """Bring the cluster up and return what was seen in the end, connection info included.

    Script paths are paths in the project; a role without one runs the inline ``ray start ... --block`` command. Raises
    DeployError as ``launch`` does.
    """
    session = open_session(config, tell=_ignore)
    spec = with_scripts(with_workers(session.spec_to_launch(), workers), head_script_path, worker_script_path)
    return launch(session.place, spec, Silent())


def stop_cluster(config: Path | None = None) -> None:
    """Remove the cluster; returns when an observation finds none of its nodes."""
    Cluster(open_session(config, tell=_ignore)).down()


def with_scripts(spec: ClusterSpec, head: str | None, worker: str | None) -> ClusterSpec:
    """``spec`` with these scripts, and inline commands where there is none."""
    groups = tuple(group.model_copy(update={"script": worker or group.script}) for group in spec.workers)
    return spec.model_copy(
        update={
            "launch_with": "inline",
            "head": spec.head.model_copy(update={"script": head or spec.head.script}),
            "workers": groups,
        }
    )
