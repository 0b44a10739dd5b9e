"""Stands in for the job that builds the cluster's environment: an interpreter and the mark, in no time.

Like the real one it takes its arguments from JOB_ARGUMENTS, does nothing when the environment stands, and writes the
mark last. The interpreter answers to ``-m cai_deploy.node``, which is all that a launcher asks of it.
"""

import os
import shlex
import sys
from pathlib import Path

words = shlex.split(os.environ["JOB_ARGUMENTS"])
environment = Path(".cai-deploy/environments", words[words.index("--environment") + 1])
ready = environment / "ready.json"

if not ready.exists():
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" node.py\n')
    python.chmod(0o755)
    ready.with_suffix(".tmp").write_text("{}\n")
    ready.with_suffix(".tmp").replace(ready)
