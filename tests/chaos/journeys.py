"""The journeys that are spoiled at every call: where each begins, its one command, and where it must end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cai_deploy.spec import ClusterSpec
from tests.chaos.cluster_of_scripts import Bench, Cluster, Ran
from tests.chaos.strikes import Impatient

JOURNEYS = ("launch", "scale", "roll", "roll_head", "down")


@dataclass
class Journey:
    """One command from one start, again and again; ``command`` and ``spec`` (None: nothing left) are known there."""

    name: str
    bench: Bench
    cluster: Cluster
    command: tuple[str, ...] = ()
    spec: ClusterSpec | None = None

    def go_to_start(self) -> None:
        """From wherever the last case ended. A launch begins with no project; the others with two workers."""
        if self.name == "launch":
            self._start_afresh()
        else:
            wanted = self.cluster.want()
            back = self._run("launch")
            assert back.status == 0, back.told
            self.bench.check_up(self.cluster, wanted)
        if self.name == "launch":
            self.command, self.spec = ("launch",), self.cluster.want()
        elif self.name == "scale":
            self.command, self.spec = ("scale", "--workers", "3"), self.cluster.want().scaled(3)
        elif self.name == "roll":
            self.command, self.spec = ("launch",), self.cluster.want(cpu=2)
        elif self.name == "roll_head":
            self.command, self.spec = ("launch",), self.cluster.want(head_cpu=2)
        else:
            self.command, self.spec = ("down",), None
        self.command = (*self.command, "--config", str(self.cluster.file))

    def problems_after_a_rerun(self, before: str, *, settled: float = 0.0) -> list[str]:
        """What is wrong after the same command once more, when the workspace is well again: nothing, or one text.

        ``settled`` is the moment (monotonic) at which the workspace has done all that it was asked for ``before``.
        """
        again = self.bench.run_in_fork(*self.command, transport=Impatient)
        time.sleep(max(0.0, settled - time.monotonic()))
        if again.status == 0:
            return self.problems(before, late=settled > 0)
        self._start_afresh()
        return [f"{before}\nthe re-run failed: {again.told}"]

    def problems(self, before: str, *, late: bool = False) -> list[str]:
        """What is wrong at the journey's end: it is not reached, or the command still finds something to do.

        A request of the one that was killed which came ``late`` may have undone a piece of what the re-run did, as no
        deletion in this API can be made to depend on what it deletes: then one more run puts it right.
        """
        try:
            if self.spec is None:
                self.bench.check_down(self.cluster)
            else:
                self.bench.check_up(self.cluster, self.spec)
        except AssertionError as error:
            self._start_afresh()
            return [f"{before}\n{error}"]
        again = self.bench.run_in_fork(*self.command, transport=Impatient)
        if late and again.status == 0 and not again.did_nothing:
            again = self.bench.run_in_fork(*self.command, transport=Impatient)
        return [] if again.did_nothing else [f"{before}\nthe next run finds something to do: {again.told}"]

    def leave(self) -> None:
        """Leave nothing in the workspace."""
        self.bench.remove(self.cluster)

    def _run(self, *verb: str) -> Ran:
        return self.bench.run_in_fork(*verb, "--config", str(self.cluster.file), transport=Impatient)

    def _start_afresh(self) -> None:
        self.bench.remove(self.cluster)
        self.cluster = self.bench.new_cluster()
