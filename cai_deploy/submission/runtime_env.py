"""A job's runtime environment: what a file says, options on top, and what every job is better off with.

Variables are secrets until known otherwise: no error and no story tells a value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cai_deploy.errors import ConfigError

INSTALLERS = ("uv", "pip")
KEYS = frozenset(
    {
        *INSTALLERS,
        *("working_dir", "py_modules", "excludes", "conda", "env_vars", "config", "worker_process_setup_hook"),
        *("py_executable", "java_jars", "image_uri", "container", "nsight", "rocprof_sys", "mpi"),
    }
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_runtime_env(path: Path) -> dict[str, Any]:
    """The runtime environment in the file at ``path``. Raises ConfigError for what Ray would not know."""
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError as error:
        raise ConfigError(f"--runtime-env {path} does not exist") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path} is not YAML", why=f"line {where.line + 1}" if where else "") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"{path} is not a runtime environment", why="it holds no keys")
    unknown = [str(key) for key in fields if key not in KEYS]
    if unknown:
        raise ConfigError(f"{path} is not a runtime environment", why="\n".join(map(_unknown, unknown)))
    env_vars = fields.get("env_vars") or {}
    if not isinstance(env_vars, dict) or not all(isinstance(value, str) for value in env_vars.values()):
        raise ConfigError(
            f"{path}: env_vars must be names with texts", next_step="put numbers and truth values in quotes"
        )
    return {
        name: {**_options(told), "packages": packages(told, path.parent)} if name in INSTALLERS else told
        for name, told in fields.items()
    }


def read_variables(given: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``--env NAME=VALUE``, or ``--env NAME`` for the value in ``environ``. Raises ConfigError."""
    found = {}
    for each in given:
        name, told, value = each.partition("=")
        if not VARIABLE.fullmatch(name):
            raise ConfigError("--env takes NAME=VALUE, or NAME for a variable that is set here")
        if not told and name not in environ:
            raise ConfigError(f"--env {name}: no such variable is set here", next_step=f"set it, or give {name}=VALUE")
        found[name] = value if told else environ[name]
    return found


def with_variables(fields: Mapping[str, Any], given: Mapping[str, str], num_cpus: float) -> dict[str, Any]:
    """``fields`` with the variables that are better set, below those of the file, below those ``given``.

    One that is given as "" is not set at all.
    """
    better = {"PYTHONUNBUFFERED": "1", **dict.fromkeys(THREADS, str(max(int(num_cpus), 1)))}
    merged = {**better, **(fields.get("env_vars") or {}), **given}
    return {**fields, "env_vars": {name: value for name, value in merged.items() if value or name not in better}}


def with_packages(
    fields: Mapping[str, Any], *, uv: Sequence[str] = (), pip: Sequence[str] = (), wheels: Sequence[str] = ()
) -> dict[str, Any]:
    """``fields`` with packages on top: each of ``uv`` and ``pip`` a requirement or a file of them.

    ``wheels`` go to the installer that is used anyway, uv when there is none. Raises ConfigError for two of them.
    """
    asked = {name: [*_flat(more)] for name, more in (("uv", uv), ("pip", pip))}
    used = [name for name in INSTALLERS if asked[name] or fields.get(name) is not None]
    if len(used) > 1:
        raise ConfigError("a job's environment is made by uv or by pip, not by both", next_step="choose one of them")
    if not used and not wheels:
        return dict(fields)
    installer = used[0] if used else "uv"
    told = fields.get(installer)
    wanted = [*packages(told, Path()), *asked[installer], *wheels]
    return {**fields, installer: {**_options(told), "packages": wanted}}


def packages(told: object, base: Path) -> list[str]:
    """The requirements in one of Ray's three forms: a list, a file's path, or a dictionary with either."""
    if isinstance(told, dict):
        return packages(told.get("packages"), base)
    if told is None:
        return []
    if isinstance(told, str):
        return requirements_in(base / told)
    if isinstance(told, list) and all(isinstance(each, str) for each in told):
        return told
    raise ConfigError("pip and uv take a list of requirements, or the path of a file with them")


def requirements_in(path: Path) -> list[str]:
    """The requirements in a file, and in those that it names by ``-r``; each in one line. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the requirements {path} cannot be read", why=type(error).__name__) from error
    found: list[str] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        wanted = re.sub(r"(^|\s)#.*", "", line).strip()
        named = re.match(r"(?:-r|--requirement)[\s=]+(.+)", wanted)
        if re.match(r"-c\b|--constraint\b|-e\b|--editable\b", wanted):
            raise ConfigError(
                f"{path}: {wanted.split()[0]} cannot go along with a job", next_step="give a wheel instead"
            )
        if named:
            found += requirements_in(path.parent / named[1].strip())
        elif wanted:
            found.append(" ".join(wanted.split()))
    return found


def _options(told: object) -> dict[str, Any]:
    return dict(told) if isinstance(told, dict) else {}


def _flat(given: Sequence[str]) -> list[str]:
    return [line for each in given for line in (requirements_in(Path(each)) if Path(each).is_file() else [each])]


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, sorted(KEYS), n=1)
    return f"{key}: unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
