"""What has this host start a cluster's nodes again when it boots: a line in its user's crontab, or a unit of systemd.

It is shown before it is written. Only what carries our mark, of this very directory, is ever changed or taken away. One
of several modules that are sent to a host together, see ``host_control``. What is asked for comes as ``command``, what
a shell is to run; ``why`` in an answer says what went wrong, "" when nothing did.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CRONTAB, SYSTEMD = "crontab", "systemd"
CRON = ("cron", "crond", "fcron", "dcron")
SECONDS = 20

SYSTEMD_RUNS = Path("/run/systemd/system")
LINGERING = Path("/var/lib/systemd/linger")
"""As systemd's own manual says how to tell."""

NO_CRONTAB, ABSENT, LATE = 1, 127, 124
"""Statuses: of ``crontab -l`` where there is none yet; of a program that is not here, or takes too long."""

UNIT = """\
# {mark}
[Unit]
Description=The nodes of the Ray cluster {cluster} on this host

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
ExecStart=/bin/sh -c {command}

[Install]
WantedBy=default.target
"""


def look(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Where an entry belongs here, how it reads, whether it ``stands``, and what else has to be so for it to work."""
    kind = _kind()
    if not kind:
        return {"why": "it has neither a crontab nor a systemd that its user can ask"}
    if kind == CRONTAB:
        text, (lines, why) = _line(root, request), _lines()
        by_hand = text.removesuffix(_end(root, request))
        seen = {"where": f"the crontab of {getpass.getuser()}", "stands": not {text, by_hand}.isdisjoint(lines)}
    else:
        file, text, why = _unit_file(root, request), _unit(root, request), ""
        seen = {"where": str(file), "stands": _held(file) == text and _lingers()}
    return {**seen, "text": text.rstrip("\n"), "note": _note(kind), "why": why}


def write(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Put it there, in the place of an older one of ours."""
    if _kind() == CRONTAB:
        lines, why = _lines()
        others = [line for line in lines if not _is_ours(line, root, request)]
        why = why or _set_lines([*others, _line(root, request)])
    else:
        file = _unit_file(root, request)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_unit(root, request), encoding="utf-8")
        why = _told(_systemctl("daemon-reload")) or _told(_systemctl("enable", file.name)) or _linger()
    return {"why": why}


def take_away(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Remove ours, whichever there are; ``gone`` names them."""
    gone, (lines, why) = [], _lines()
    others = [line for line in lines if not _is_ours(line, root, request)]
    if others != lines:
        why = _set_lines(others)
        gone += [] if why else [f"the line in the crontab of {getpass.getuser()}"]
    file = _unit_file(root, request)
    if file.is_file():
        why = why or _told(_systemctl("disable", file.name))
        file.unlink()
        _systemctl("daemon-reload")
        gone.append(str(file))
    return {"gone": gone, "why": why}


def _kind() -> str:
    """A line works without anything else, where a cron runs."""
    has_crontab = shutil.which("crontab") is not None
    if has_crontab and (_cron_runs() or not _has_systemd()):
        return CRONTAB
    return SYSTEMD if _has_systemd() else ""


def _cron_runs() -> bool:
    return any(_held(file).strip() in CRON for file in Path("/proc").glob("[0-9]*/comm"))


def _has_systemd() -> bool:
    """Whether it is this host's first process, and this user's own is there."""
    return SYSTEMD_RUNS.is_dir() and not _systemctl("show-environment").returncode


def _note(kind: str) -> str:
    if kind == CRONTAB:
        return "" if _cron_runs() else "no cron is seen to run here now: it has to, when this machine boots"
    return "" if _lingers() else "it needs `loginctl enable-linger`, which is done too"


def _mark(root: Path, request: dict[str, Any]) -> str:
    return f"cai_deploy: cluster {request['cluster']} in {os.path.realpath(root)}"


def _line(root: Path, request: dict[str, Any]) -> str:
    # In a crontab % ends the line.
    return f"@reboot {request['command']}".replace("%", r"\%") + _end(root, request)


def _is_ours(line: str, root: Path, request: dict[str, Any]) -> bool:
    return line.rstrip().endswith(_end(root, request))


def _end(root: Path, request: dict[str, Any]) -> str:
    return f" # {_mark(root, request)}".replace("%", r"\%")


def _unit(root: Path, request: dict[str, Any]) -> str:
    # systemd reads % and $ itself.
    quoted = shlex.quote(request["command"]).replace("%", "%%").replace("$", "$$")
    return UNIT.format(mark=_mark(root, request), cluster=request["cluster"], command=quoted)


def _unit_file(root: Path, request: dict[str, Any]) -> Path:
    """Of this directory alone: a host may have several clusters of one name."""
    own = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:6]
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return configuration / "systemd" / "user" / f"cai-deploy-{request['cluster']}-{own}.service"


def _lines() -> tuple[list[str], str]:
    """The crontab's, none where there is no crontab; and why they are not known, which is no reason to write others."""
    done = _run("crontab", "-l")
    return done.stdout.splitlines(), "" if done.returncode in (NO_CRONTAB, ABSENT) else _told(done)


def _set_lines(lines: list[str]) -> str:
    if not lines:
        return _told(_run("crontab", "-r"))
    return _told(_run("crontab", "-", stdin="".join(f"{line}\n" for line in lines)))


def _lingers() -> bool:
    return (LINGERING / getpass.getuser()).exists()


def _linger() -> str:
    """Have this user's systemd run from the boot on, and not from the first time that somebody logs in."""
    return "" if _lingers() else _told(_run("loginctl", "enable-linger"))


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    return _run("systemctl", "--user", *words)


def _run(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    # A connection by SSH may come without what leads to the user's systemd.
    environ = {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}", **os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            argv, input=stdin, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(argv, LATE, "", str(error))
    except OSError as error:
        return subprocess.CompletedProcess(argv, ABSENT, "", str(error))


def _told(done: subprocess.CompletedProcess[str]) -> str:
    """Why a program failed, in its own words."""
    return (done.stderr.strip() or f"status {done.returncode}") if done.returncode else ""


def _held(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


VERBS = {"look": look, "write": write, "take_away": take_away}


def main(verb: str) -> None:
    """Do what is asked for, and answer."""
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    print(json.dumps(VERBS[verb](Path(request["directory"]).expanduser(), request)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
