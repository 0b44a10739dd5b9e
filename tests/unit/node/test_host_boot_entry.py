"""What is written for a host's boot: shown first, once, beside what others wrote there, and gone without a trace.

The crontab is a file of the test, kept by a program of that name that does as the real one (which the end-to-end tests
use). systemd's own program is the real one where there is one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.node import host_boot_entry
from cai_deploy.node.host_boot_entry import look, take_away, write

CRONTAB = """\
#!/bin/sh
case "$1" in
-l) if [ -e {file} ]; then exec cat {file}; else echo "no crontab" >&2; exit {status}; fi ;;
-r) exec rm {file} ;;
-) exec cat >{file} ;;
esac
"""
SYSTEMCTL = '#!/bin/sh\necho "$*" >>{said}\n[ -z "{real}" ] || SYSTEMD_OFFLINE=1 exec {real} "$@"\n'
LOGINCTL = '#!/bin/sh\nmkdir -p {lingering} && touch {lingering}/"$(id -un)"\n'
REAL = shutil.which("systemctl") or ""
OTHERS = "# mine\n0 5 * * * backup --all % to tape\n@reboot echo up\n"


class Machine:
    """A home, what its programs keep, and a directory of a cluster with an odd name."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.crontab = home / "tab"
        self.programs = home / "programs"
        self.root = home / "50% of it's"
        self.request: dict[str, Any] = {"cluster": "ray", "command": "cd / && echo 100% $HOME"}
        self.programs.mkdir()
        self.root.mkdir()
        for name in ("sh", "cat", "rm", "mkdir", "touch", "id"):
            (self.programs / name).symlink_to(str(shutil.which(name)))

    def program(self, name: str, text: str, **words: object) -> None:
        (self.programs / name).write_text(text.format(**words))
        (self.programs / name).chmod(0o755)

    def with_cron(self, *, status: int = 1) -> None:
        self.program("crontab", CRONTAB, file=self.crontab, status=status)

    def with_systemd(self) -> None:
        (self.home / "runs").mkdir()
        self.program("systemctl", SYSTEMCTL, said=self.home / "said", real=REAL)
        self.program("loginctl", LOGINCTL, lingering=self.home / "linger")

    @property
    def units(self) -> list[Path]:
        return [each for each in (self.home / ".config/systemd/user").rglob("*.service") if not each.is_symlink()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(host_boot_entry, "SYSTEMD_RUNS", tmp_path / "runs")
    monkeypatch.setattr(host_boot_entry, "LINGERING", tmp_path / "linger")
    monkeypatch.setattr(host_boot_entry, "CRON", ())
    monkeypatch.setenv("PATH", str(made.programs))
    return made


def test_a_line_stands_once_beside_those_of_others_and_goes_alone(machine: Machine) -> None:
    machine.with_cron()
    machine.crontab.write_text(OTHERS)
    first = look(machine.root, machine.request)
    assert (first["stands"], first["why"]) == (False, "")
    assert first["where"].startswith("the crontab of ")
    assert machine.crontab.read_text() == OTHERS, "it is shown before it is written"
    for _ in range(2):
        assert write(machine.root, machine.request) == {"why": ""}
        assert machine.crontab.read_text() == f"{OTHERS}{first['text']}\n"
    assert look(machine.root, machine.request)["stands"]
    assert first["text"] == (
        rf"@reboot cd / && echo 100\% $HOME # cai_deploy: cluster ray in {machine.home}/50\% of it's"
    )
    (gone,) = take_away(machine.root, machine.request)["gone"]
    assert gone.startswith("the line in the crontab of ")
    assert machine.crontab.read_text() == OTHERS
    assert take_away(machine.root, machine.request) == {"gone": [], "why": ""}


def test_a_line_that_changed_takes_the_place_of_the_old_one(machine: Machine) -> None:
    machine.with_cron()
    write(machine.root, machine.request)
    write(machine.home, machine.request)
    changed = {**machine.request, "command": "true"}
    assert not look(machine.root, changed)["stands"]
    write(machine.root, changed)
    lines = machine.crontab.read_text().splitlines()
    assert len(lines) == 2, "another directory's is not ours to replace"
    assert look(machine.root, changed)["stands"]
    assert look(machine.home, machine.request)["stands"]


def test_a_line_that_a_person_put_there_is_enough_and_stays(machine: Machine) -> None:
    machine.with_cron()
    by_hand = look(machine.root, machine.request)["text"].partition(" # cai_deploy")[0]
    machine.crontab.write_text(f"{by_hand}\n")
    assert look(machine.root, machine.request)["stands"]
    assert take_away(machine.root, machine.request) == {"gone": [], "why": ""}
    assert machine.crontab.read_text() == f"{by_hand}\n"


def test_a_crontab_of_ours_alone_goes_altogether(machine: Machine) -> None:
    machine.with_cron()
    write(machine.root, machine.request)
    take_away(machine.root, machine.request)
    assert not machine.crontab.exists()


def test_what_the_crontab_runs_is_what_was_asked_for(machine: Machine) -> None:
    machine.with_cron()
    write(machine.root, machine.request)
    line = machine.crontab.read_text().removeprefix("@reboot ").replace(r"\%", "%")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env={"HOME": "/h"})
    assert done.stdout == "100% /h\n"


def test_a_crontab_that_cannot_be_read_is_never_written(machine: Machine) -> None:
    machine.with_cron(status=2)
    assert look(machine.root, machine.request)["why"] == "no crontab"
    assert write(machine.root, machine.request)["why"] == "no crontab"
    assert not machine.crontab.exists()
    assert take_away(machine.root, machine.request) == {"gone": [], "why": "no crontab"}


def test_a_unit_where_no_cron_runs(machine: Machine) -> None:
    machine.with_cron()
    machine.with_systemd()
    first = look(machine.root, machine.request)
    assert (first["stands"], first["why"]) == (False, "")
    assert "enable-linger" in first["note"]
    assert machine.units == []
    assert write(machine.root, machine.request) == {"why": ""}
    (unit,) = machine.units
    assert (str(unit), unit.read_text()) == (first["where"], f"{first['text']}\n")
    assert "ExecStart=/bin/sh -c 'cd / && echo 100%% $$HOME'\n" in unit.read_text()
    if REAL:
        assert (unit.parent / "default.target.wants" / unit.name).is_symlink(), "systemd itself takes it for enabled"
    second = look(machine.root, machine.request)
    assert (second["stands"], second["note"]) == (True, "")
    assert take_away(machine.root, machine.request) == {"gone": [str(unit)], "why": ""}
    assert [each for each in unit.parent.rglob("*") if each.name == unit.name] == []


def test_units_of_two_directories_do_not_meet(machine: Machine) -> None:
    machine.with_systemd()
    write(machine.root, machine.request)
    write(machine.home, machine.request)
    assert len(machine.units) == 2
    take_away(machine.root, machine.request)
    assert look(machine.home, machine.request)["stands"]


def test_a_machine_with_neither_says_so(machine: Machine) -> None:
    told = look(machine.root, machine.request)
    assert told == {"why": "it has neither a crontab nor a systemd that its user can ask"}
    assert take_away(machine.root, machine.request) == {"gone": [], "why": ""}
