"""``python -m cai_deploy.local_workspace serve --home DIR [--port N]``: the server in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cai_deploy.errors import DeployError
from cai_deploy.local_workspace import pod_modes


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m cai_deploy.local_workspace", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve", help="run the workspace in the foreground")
    serving.add_argument("--home", type=Path, required=True, help="directory of the workspace")
    serving.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for the last one, or a free one")
    serving.add_argument("--stop-grace", type=float, help="seconds between SIGTERM and SIGKILL")
    serving.add_argument("--implicit", action="store_true", help="note that nobody asked for it by name")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with ThreadPoolExecutor(1) as pool:
        choosing = pool.submit(pod_modes.choose)  # the trial takes as long as the imports below: side by side
        from cai_deploy.local_workspace import server
        from cai_deploy.local_workspace import settings as tuning

        try:
            mode, note = choosing.result()
            home = server.home_at(options.home)
            settings = tuning.load(home.settings_file)
            if options.stop_grace is not None:
                settings = settings.changed({"stop_grace": options.stop_grace})
            asyncio.run(server.serve(home, options.port, mode, note, implicit=options.implicit, settings=settings))
        except DeployError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
