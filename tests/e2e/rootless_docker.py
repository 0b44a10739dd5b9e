"""A Docker that an ordinary user runs: the same as ``private_docker``, but rootless, in that user's own namespaces.

The devices and the numbers of users that it needs, and that this machine may not give to everybody, are lent to it in
a view of its own. Nothing is left of them on the machine.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import sys
from pathlib import Path

from tests.e2e import private_docker
from tests.e2e.conftest import ORDINARY_USER

PROGRAMS = ("rootlesskit", "slirp4netns", "newuidmap", "newgidmap", "setpriv")
STARTERS = ("/usr/bin/dockerd-rootless.sh", "/usr/share/docker.io/contrib/dockerd-rootless.sh")
NUMBERS = "100000:65536"

ENGINE = """\
set -e
mkdir -p {python_here} && mount --bind {python} {python_here}
{hidden}
mkdir -p {python} && mount --bind {python_here} {python}
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200
for file in /etc/subuid /etc/subgid; do mount --bind {numbers} $file; done
setpriv --reuid={uid} --regid={gid} --clear-groups env -i {environ} {starter} &
wait
"""
"""The shell stays, as root: who becomes another user outlives a parent that is killed, with all that is below."""


def unavailable() -> str:
    """Why there can be none here; "" when there can."""
    if why := private_docker.unavailable():
        return why
    absent = [program for program in PROGRAMS if not shutil.which(program, path=path())]
    absent += [] if starter() else ["dockerd-rootless.sh"]
    absent += [] if all(Path(each).exists() for each in ("/etc/subuid", "/etc/subgid")) else ["/etc/subuid"]
    return f"needs rootless Docker: {', '.join(absent)} not found" if absent else ""


def starter() -> str:
    """The script that starts it; Debian keeps it among the examples."""
    return next((each for each in STARTERS if Path(each).exists()), "")


def path() -> str:
    """Where its programs are looked for."""
    return "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class RootlessDocker(private_docker.PrivateDocker):
    """Started by ``private_docker``. It is an ordinary user's, with all that user's own defaults."""

    @property
    def runtime(self) -> Path:
        """What its user has as XDG_RUNTIME_DIR."""
        return self.home / "run"

    @property
    def socket(self) -> Path:
        """Where it is asked."""
        return self.runtime / "docker.sock"

    def script(self) -> str:
        """What becomes the engine, in its own namespaces."""
        who = pwd.getpwnam(ORDINARY_USER)
        self.home.chmod(0o755)
        theirs = self.home / "theirs"
        for directory in (theirs, self.runtime):
            directory.mkdir(mode=0o700, exist_ok=True)
            os.chown(directory, who.pw_uid, who.pw_gid)
        numbers = self.home / "numbers"
        numbers.write_text(f"{ORDINARY_USER}:{NUMBERS}\n")
        # A Python below a home that is closed to others is out of the engine's reach, which opens what is mounted.
        python = Path(sys.executable).resolve().parents[1]
        top = Path("/") / python.parts[1]
        closed = next((each for each in (python, *python.parents) if each.stat().st_mode & 0o005 != 0o005), None)
        environ = {"HOME": str(theirs), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": path()}
        return ENGINE.format(
            python=python,
            python_here=self.home / "python",
            hidden=f"mount -t tmpfs -o mode=755 tmpfs {top}" if closed else "true",
            numbers=numbers,
            uid=who.pw_uid,
            gid=who.pw_gid,
            environ=" ".join(shlex.quote(f"{name}={value}") for name, value in environ.items()),
            starter=starter(),
        )
