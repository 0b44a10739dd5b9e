"""The kubelet's table of pods, in a process that heeds signals as a kubelet does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STARTED_AND_STOPPED = """
import signal, sys, time
from cai_deploy.local_workspace.kubelet import members
from cai_deploy.local_workspace.kubelet.messages import PodSpec
from cai_deploy.local_workspace.kubelet.pods import PodTable

signal.signal(signal.SIGTERM, lambda *_: None)
table, place = PodTable(isolated=False, changed=lambda _: None), sys.argv[1]
for number in range(5):
    name = f"pod-{number}"
    table.start(PodSpec(name, ["/bin/sleep", "987"], {members.WORKLOAD_ID: f"{place}/{name}"}, place, f"{place}/log"))
    table.stop(name, 10)
while table.running():
    table.kill_overdue()
    table.reap()
    time.sleep(0.01)
print(*(pod.exit_code for pod in table.all()))
"""


def test_a_pod_that_is_stopped_the_moment_it_starts_needs_none_of_its_grace(tmp_path: Path) -> None:
    script = [sys.executable, "-c", STARTED_AND_STOPPED, str(tmp_path)]
    ran = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.split() == ["143"] * 5, "ended by SIGTERM; 137 is SIGKILL, once the grace was over"
