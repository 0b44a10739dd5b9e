"""The program in a project: an archive with a copy of this package, unpacked by whoever needs it first.

The archive is named by what it holds, and so is the directory that it is unpacked to. An archive can be imported from
as it is, which is how this very module comes to unpack it.
"""

from __future__ import annotations

import shutil
import uuid
import zipfile
from pathlib import Path

import cai_deploy
from cai_deploy.errors import DeployError


def home() -> Path:
    """The directory that holds the package which runs here; an archive is unpacked beside itself."""
    found = Path(cai_deploy.__file__).resolve().parents[1]
    return unpacked(found) if found.is_file() else found


def unpacked(archive: Path) -> Path:
    """The directory with what ``archive`` holds, whole from the moment at which it is there.

    Raises DeployError when the archive is no archive, as after an upload that was cut off.
    """
    target = archive.with_suffix("")
    if target.is_dir():
        return target
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(scratch)
        scratch.rename(target)
    except zipfile.BadZipFile as error:
        raise DeployError(
            f"the program's archive {archive.name} cannot be read",
            why=str(error),
            next_step=f"remove {archive.parent.name} below .cai-deploy in the project, and launch again",
        ) from error
    except OSError:
        if not target.is_dir():  # nobody else was sooner
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
