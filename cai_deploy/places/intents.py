"""What is about to be created, written down before it is sent.

Names are not unique everywhere and an answer may get lost with the process that waited for it. A later run that
finds "taken" where nothing is to be seen yet could not tell its own late request from a stranger's: this note tells it.
It is removed once every answer is in, so that it speaks of open questions alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.places.files import ProjectFiles
from cai_deploy.state import Step


def read(files: ProjectFiles, cluster: str) -> frozenset[str]:
    """The nodes whose creation was sent by a run that never heard the answer."""
    text = files.read_text(layout.intents_file(cluster))
    try:
        return frozenset(map(str, json.loads(text)["nodes"])) if text else frozenset()
    except (ValueError, KeyError, TypeError):  # half written: nothing was sent yet
        return frozenset()


@contextlib.contextmanager
def noted(
    files: ProjectFiles, cluster: str, steps: Sequence[Step], answer_lost: Callable[[DeployError], bool]
) -> Iterator[None]:
    """Around sending ``steps``. The note stays when an answer was lost, or when this process is."""
    nodes = sorted(step.name for step in steps if step.kind == "node" and step.action == "create")
    if not nodes:
        yield
        return
    path = layout.intents_file(cluster)
    files.upload(path, json.dumps({"nodes": nodes}).encode())
    try:
        yield
    except DeployError as error:
        if not answer_lost(error):
            files.delete(path)
        raise
    files.delete(path)
