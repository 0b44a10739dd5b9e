"""What has a host start its nodes again when it boots."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cai_deploy.on_boot import command, crontab_lines, units
from cai_deploy.spec import ClusterSpec
from cai_deploy.ssh_hosts import SshHost


def test_it_does_nothing_where_the_cluster_is_down(tmp_path: Path) -> None:
    host = SshHost(address="a", directory=str(tmp_path / "it's here"), python="false")
    assert subprocess.run(["sh", "-c", command(host, "ray")], capture_output=True).returncode != 0
    (tmp_path / "it's here").mkdir()
    done = subprocess.run(["sh", "-c", command(host, "ray")], capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_it_runs_the_newest_copy_of_the_program(tmp_path: Path) -> None:
    (tmp_path / ".cai-deploy/clusters/ray").mkdir(parents=True)
    (tmp_path / ".cai-deploy/code/abc").mkdir(parents=True)
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$PYTHONPATH $*"\n')
    program.chmod(0o755)
    host = SshHost(address="a", directory=str(tmp_path), python=str(program))
    done = subprocess.run(["sh", "-c", command(host, "ray")], capture_output=True, text=True)
    assert done.stdout == ".cai-deploy/code/abc -m cai_deploy.node.host_boot ray\n"


def test_each_host_has_its_own() -> None:
    spec = ClusterSpec(place="ssh", hosts=(SshHost(address="a"), SshHost(address="b", user="me", directory="/d%d")))
    lines, told = dict(crontab_lines(spec)), dict(units(spec))
    assert lines["a"].startswith('@reboot cd "$HOME"/.cai-deploy-hosts/ray && ')
    assert lines["b"].startswith(r"@reboot cd /d\%d && ")
    assert "User=USER" in told["a"]
    assert "User=me" in told["b"]
    assert "/d%%d" in told["b"]
    assert '"$$(ls' in told["b"]
