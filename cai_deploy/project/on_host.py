"""``python -m cai_deploy.project.on_host``: the environment of a plain host, built there by its own Python.

The request is JSON on stdin, the answer the last line on stdout: what was done, or what failed, why and the next step.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cai_deploy.errors import DeployError
from cai_deploy.project.environment import build_environment


def main() -> int:
    """Build what is asked for. 1 for what cannot be built."""
    request: dict[str, Any] = json.load(sys.stdin)
    root = Path(request["directory"]).resolve()
    try:
        built = build_environment(
            root, Path(request["requirements"]), request["python"], request["environment"], timeout=request["seconds"]
        )
    except DeployError as error:
        print(json.dumps({"what": error.what, "why": error.why, "next_step": error.next_step}))
        return 1
    print(json.dumps(asdict(built)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
