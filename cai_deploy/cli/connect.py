"""How to reach a cluster that runs, as lines a person can paste. No secret is printed: keys stay in variables."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from cai_deploy.connection import ConnectionInfo


def connect_lines(info: ConnectionInfo, *, local: bool) -> list[str]:
    """The dashboard, a job from here, and the address for code that runs in the project."""
    lines = [f"dashboard   {info.dashboard_url}", f"on a node   ray.init('auto'), GCS at {info.gcs_address}"]
    url = urlsplit(info.dashboard_url)
    headers = {"Authorization": "Bearer $CML_API_KEY"}
    address = info.dashboard_url
    if local:
        # Not every resolver knows that names below localhost are this machine, so the name travels as a header.
        headers["Host"] = url.netloc
        address = f"http://localhost:{url.port}"
        lines.append('first       eval "$(python -m cai_deploy workspace env)"')
    quoted = json.dumps(headers).replace('"', '\\"')
    lines.append(
        f'submit      RAY_ADDRESS={address} RAY_JOB_HEADERS="{quoted}" ray job submit -- python -c "import ray; …"'
    )
    return lines
