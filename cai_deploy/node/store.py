"""Where the head's GCS keeps its state, so that a head that comes back knows its workers, actors and jobs.

Ray 2.60 brings RocksDB for that. It stands on the project directory where that file system is fit for it, as a pod
that comes back finds nothing else. Elsewhere it is pod-local, which survives the end of Ray but not of the pod, and
what that costs is told.

No store may keep a head from starting. One that another Ray or Python wrote (GCS tables and pickled classes have no
format that lasts), one that cannot be opened, and one with which the GCS has died several times in a row are set aside:
renamed, so that nothing is lost for who can read it, and told.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from cai_deploy.node.file_system import why_unfit

DATABASE = "store"
WRITER = "writer"
ASIDE = "store.aside."
KEPT_ASIDE = 2

DIED_IN_A_ROW = 3
"""Starts whose GCS ended before it answered, after which the store is suspected even if nothing was said of it."""

FATAL_SIGN = "Check failed"
DATABASE_SIGN = "RocksDB"
MEDIUM_SIGN = "IO error"
MISSING_SIGN = "No such file"
"""As RocksDB words it. An error of the medium (a full disk, a lock that is held) says nothing against the store, unless
it is a file of it that is not there."""

LOSS = (
    "the GCS's state is kept in this pod only. If the pod ends, the cluster starts empty: workers join the next head "
    "as new nodes, and all tasks, actors (detached ones too), placement groups, records of submitted jobs and Serve "
    "applications are lost"
)


class GcsStore:
    """The store of one cluster. ``writer`` names what writes it, with its version."""

    def __init__(self, wanted: Path, writer: str, tell: Callable[[str], None]) -> None:
        self._writer = writer
        self._tell = tell
        self._deaths = 0
        self._local = ""
        if why := why_unfit(wanted):
            tell(f"WARNING: {wanted} is not fit for a database: {why}. So {LOSS}")
            self._local = tempfile.mkdtemp(prefix="ray-gcs-")
        self._directory = Path(self._local or wanted)

    @property
    def shared(self) -> bool:
        """Whether another pod could write it too."""
        return not self._local

    def open(self) -> dict[str, str]:
        """Make it ready for a start of Ray, and return the variables that lead there."""
        # What is passed to tasks can be read there, secrets too; this is for the owner's eyes.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        database, mark = self._directory / DATABASE, self._directory / WRITER
        before = mark.read_text(encoding="utf-8") if mark.exists() else "an unknown program"
        if database.exists() and before != self._writer:
            self._set_aside(f"{before} wrote it, and this is {self._writer}")
        database.mkdir(exist_ok=True)
        mark.write_text(self._writer, encoding="utf-8")
        return {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(database)}

    def answered(self) -> None:
        """The GCS came up with it."""
        self._deaths = 0

    def died(self, temp_dir: Path) -> None:
        """The GCS of the session in ``temp_dir`` ended before it answered: decide whether the store is to blame."""
        why = last_words(temp_dir)
        if MEDIUM_SIGN in why and MISSING_SIGN not in why:
            self._tell(f"the GCS's state is not to be reached: {why}")
            return
        self._deaths += 1
        if why:
            self._set_aside(f"it cannot be opened: {why}")
        elif self._deaths >= DIED_IN_A_ROW:
            self._set_aside(f"the GCS died {self._deaths} times in a row when it started with it")

    def close(self) -> None:
        """Take away what only this pod could use."""
        if self._local:
            shutil.rmtree(self._local, ignore_errors=True)

    def _set_aside(self, why: str) -> None:
        self._deaths = 0
        database = self._directory / DATABASE
        if not database.exists():
            return
        before = sorted(self._directory.glob(f"{ASIDE}*"))
        latest = int(before[-1].name.removeprefix(ASIDE)) if before else 0
        aside = self._directory / f"{ASIDE}{latest + 1:06d}"
        database.rename(aside)
        self._tell(
            f"WARNING: the GCS's state is set aside as {aside}, and the cluster starts empty: {why}. Workers join "
            "as new nodes; tasks, actors (detached ones too), records of jobs and Serve applications are gone"
        )
        for old in [*before, aside][:-KEPT_ASIDE]:
            shutil.rmtree(old, ignore_errors=True)


def last_words(temp_dir: Path) -> str:
    """What the GCS of the session in ``temp_dir`` died of, when it says that it was its store; "" otherwise."""
    for log in temp_dir.glob("session_2*/logs/gcs_server*"):
        try:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            if FATAL_SIGN in line and DATABASE_SIGN in line:
                return line.partition(FATAL_SIGN)[2].lstrip(": ")
    return ""
