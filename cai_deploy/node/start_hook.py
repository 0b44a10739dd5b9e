"""What happens within ``ray start`` once Ray is loaded, and before it starts anything.

Tasks get the home and the import path of the person back, and a worker waits until the GCS lists its head. A head has a
GCS seconds before it is listed, as its dashboard comes up in between, and a worker that asks within these seconds
sleeps for 2 s before it asks again and ends after 20 times (Ray 2.60). Here it has loaded Ray meanwhile, and asks as
soon as there is an answer. A person's own hook is left alone, and does without all this.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from cai_deploy.node.gcs import Gcs
from cai_deploy.node.home import INSTEAD_OF_THE_GCS_OWN, REAL_HOME, REAL_PATH, own_import_path, separate_home

HOOK = "RAY_START_HOOK"
GCS = "CAI_DEPLOY_GCS"

PATIENCE = 120.0
"""Seconds, after which it is for Ray to say what is wrong."""

TELL_EVERY = 10.0

PAUSES = (0.05, 0.05, 0.1, 0.1, 0.2, 0.2, 0.5)
"""Seconds between looks, the last for all others: thousands of workers may ask one GCS that has just begun."""


def variables_of_head(temp_dir: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a head's ``ray start`` is to have, so that this happens."""
    if HOOK in inherited or not inherited.get("HOME"):
        return {}
    return {**separate_home(temp_dir, inherited["HOME"]), HOOK: f"{__name__}.begin_head"}


def variables_of_worker(gcs_address: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The same for a worker, whose head's GCS is at ``gcs_address``."""
    if HOOK in inherited:
        return own_import_path(inherited)
    return {GCS: gcs_address, HOOK: f"{__name__}.begin_worker"}


def begin_head(parameters: Any, head: bool) -> None:  # noqa: ARG001 (Ray calls it with both)
    """Called by ``ray start``."""
    give_back(parameters, {"HOME": os.environ.pop(REAL_HOME), **INSTEAD_OF_THE_GCS_OWN})


def begin_worker(parameters: Any, head: bool) -> None:  # noqa: ARG001 (Ray calls it with both)
    """Called by ``ray start``."""
    gcs = Gcs(os.environ.pop(GCS))
    give_back(parameters, {})
    wait_for_head(lambda: any(node.is_head for node in gcs.nodes()))


def give_back(parameters: Any, own: Mapping[str, str]) -> None:
    """Have the raylet, from which every task, actor and job inherits, start with what is the person's."""
    os.environ.pop(HOOK, None)
    parameters.env_vars = {**(parameters.env_vars or {}), **own, **own_import_path(os.environ)}
    os.environ.pop(REAL_PATH, None)


def wait_for_head(is_listed: Callable[[], bool]) -> None:
    """Until it is, or for ``PATIENCE``."""
    began = told = time.monotonic()
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            if is_listed():
                return
            story = "it has a GCS, which does not list it yet"
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            story = f"its GCS does not answer: {error}"
        now = time.monotonic()
        if now - told > TELL_EVERY:
            print(f"waiting for the head: {story} ({now - began:.0f} s)", flush=True)
            told = now
        if now - began > PATIENCE:
            return
        time.sleep(pause)
