"""What is to be written for a machine's boot is shown, and asked about where somebody is there."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy.cli.boot_agreement import agreed
from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.boot_entries import BootEntry, NoBootEntry, entry_of
from tests.terminal import at_a_terminal

ASKS = """
from cai_deploy.cli.boot_agreement import agreed
from cai_deploy.places.ssh.boot_entries import BootEntry
entry = BootEntry("this machine", "the crontab of me", "@reboot true", False, "cron has to run", print)
print("agreed:", agreed([entry], yes=False) == [entry])
"""
ENTRY = BootEntry("a", "the crontab of me", "@reboot true", False, "", lambda _: {"why": ""})


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked(tmp_path: Path, answer: str, agrees: bool) -> None:
    env = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    status, shown = at_a_terminal([sys.executable, "-c", ASKS], [("Write it?", answer)], cwd=tmp_path, env=env)
    assert status == 0, shown
    assert shown.startswith(
        "for the crontab of me on this machine, which then starts its nodes when it boots:\n"
        "  @reboot true\n"
        "  (cron has to run)\n"
        "Write it? [y/N]: "
    )
    assert shown.endswith(f"agreed: {agrees}\n")


def test_nobody_is_asked_where_nobody_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigError, match="nobody is here to be asked"):
        agreed([ENTRY], yes=False)
    assert "  @reboot true\n" in capsys.readouterr().err, "it is shown all the same"
    assert agreed([ENTRY], yes=True) == [ENTRY]


def test_what_stands_needs_no_agreement(capsys: pytest.CaptureFixture[str]) -> None:
    assert agreed([replace(ENTRY, stands=True)], yes=True) == []
    assert capsys.readouterr().err == (
        "the crontab of me on a has it start its nodes when it boots already: nothing to do\n"
    )


def test_why_a_machine_does_not_take_it_is_told() -> None:
    with pytest.raises(NoBootEntry, match="a cannot be told") as refused:
        entry_of("a", lambda _: {"why": "not allowed"})
    assert refused.value.why == "not allowed"
    with pytest.raises(NoBootEntry):
        replace(ENTRY, ask=lambda _: {"why": "full"}).write()
