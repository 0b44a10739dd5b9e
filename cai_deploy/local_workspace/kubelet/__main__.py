"""Entry point of a kubelet process; see the package's docstring."""

from __future__ import annotations

import sys

from cai_deploy.local_workspace.kubelet.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
