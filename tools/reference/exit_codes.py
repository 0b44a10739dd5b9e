"""The page of exit codes, and of the errors that stand behind them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import cai_deploy
from cai_deploy.errors import DeployError
from tools.reference.markdown import MADE, table

MEANINGS = {
    0: "done; also when there was nothing to do",
    1: "it did not work; `error:` says what and why, `hint:` what to do next. Of `plan --exit-code`, every error is a 1",
    2: "an option, the specification or the environment is wrong, and nothing was changed. `plan --exit-code` and "
    "`schedule plan --exit-code` answer 2 when something would change",
    3: "the time was over before the cluster was as wanted; the same command goes on",
    4: "the place refused the key",
    5: "the place does not answer",
    130: "interrupted by Ctrl-C; the same command goes on",
}

HEAD = """# Exit codes

"""

SUBMIT = """
`submit`, `jobs logs --follow` and `slurm run --follow` end as the command ends that they follow:
[running-jobs.md](../running-jobs.md#the-end).
"""

ERRORS = """
## From Python

All errors are `cai_deploy.errors.DeployError`, with `what`, `why`, `next_step`, `fault` (`caller`, `platform` or
`network`), `retry_helps` and `exit_code`. Those with a code other than 1, which one may want to tell apart:

"""


def page() -> str:
    """The whole page."""
    codes = table(("code", "meaning"), ((str(number), told) for number, told in MEANINGS.items()))
    errors = sorted(
        (each.exit_code, f"`{each.__module__}.{each.__qualname__}`", _first_sentence(each))
        for each in _errors()
        if each.exit_code != DeployError.exit_code
    )
    rows = ((str(number), name, told) for number, name, told in errors)
    return f"{MADE}\n{HEAD}{codes}{SUBMIT}{ERRORS}{table(('code', 'error', ''), rows)}"


def _errors() -> set[type[DeployError]]:
    """Every class of errors that the package defines."""
    found = {DeployError}
    for module in pkgutil.walk_packages(cai_deploy.__path__, "cai_deploy."):
        if not module.name.endswith("__main__"):
            known = vars(importlib.import_module(module.name)).values()
            found |= {each for each in known if inspect.isclass(each) and issubclass(each, DeployError)}
    return found


def _first_sentence(error: type[DeployError]) -> str:
    return " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())


def codes() -> Iterator[int]:
    """Every code that an error of the package answers with."""
    yield from {each.exit_code for each in _errors()}
