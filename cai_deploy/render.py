"""Settings -> what an application runs: a launcher script, or an inline command where no script can be used.

The only reader of ``launchers/``. Pure but for reading the templates: equal settings give equal text, and the
fingerprint of a launcher is that of its text, so that it changes exactly when a node would run something else.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import jinja2

from cai_deploy import __version__, layout
from cai_deploy.connection import VERSION as CONNECTION_VERSION
from cai_deploy.errors import DeployError
from cai_deploy.node_settings import NodeSettings, Role

NO_REPORT = "RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9"
"""Ray sends one report even with its statistics off; this sends it nowhere."""

LISTENS = "import socket, sys; h, p = sys.argv[1].rsplit(':', 1); socket.create_connection((h, int(p)), 2)"


@dataclass(frozen=True)
class Launcher:
    """A rendered script and where it goes in the project."""

    role: Role
    path: str
    text: str

    @property
    def fingerprint(self) -> str:
        """A digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def render_launcher(settings: NodeSettings, path: str) -> Launcher:
    """The launcher of every node that has these settings. Raises DeployError when the templates are not installed."""
    template = _templates().get_template(f"{settings.role}.py.j2")
    text = template.render(
        version=__version__,
        settings=settings,
        settings_literal=_literal(settings),
        default_node="head" if settings.role == "head" else f"{settings.group}-0",
        environment_dir=layout.environment_dir(settings.environment),
        ready_file=layout.environment_ready_file(settings.environment),
        log_file=layout.node_log_file(settings.cluster, "{NODE}"),
    )
    return Launcher(settings.role, path, text)


def inline_command(settings: NodeSettings, *, node: str) -> str:
    """One shell line that is the ``ray start ... --block`` itself, for an application without a script file.

    The head notes its address in the connection file first, the workers wait for that file. The platform's readiness
    probe is answered by Ray's own dashboard on the head, and by its dashboard agent on a worker.
    """
    programs = f"{layout.environment_dir(settings.environment)}/bin"
    ray = f'env PATH="$PWD/{programs}:$PATH" {NO_REPORT} {programs}/ray'
    labels = {"cai-deploy/group": settings.group, "cai-deploy/node": node, **settings.labels}
    common = [
        *("--node-name", node),
        *("--num-cpus", f"{max(int(settings.cpu), 0)}"),
        *("--num-gpus", str(settings.gpu)),
        *("--object-store-memory", str(settings.object_store_bytes)),
        *("--labels", ",".join(f"{name}={value}" for name, value in sorted(labels.items()))),
        *(("--resources", json.dumps(settings.resources, sort_keys=True)) if settings.resources else ()),
        *("--min-worker-port", "0", "--max-worker-port", "0"),
        "--disable-usage-stats",
        "--block",
    ]
    words = " ".join(shlex.quote(word) for word in common)
    here = '--node-ip-address="$CDSW_IP_ADDRESS" --temp-dir="$(mktemp -d /tmp/ray-XXXXXX)"'
    file = layout.connection_file(settings.cluster)
    if settings.role == "head":
        ports = settings.ports
        return (
            f"mkdir -p {layout.cluster_dir(settings.cluster)} && {_note_connection(settings, file)} && "
            f"exec {ray} start --head --port={ports.get('gcs', 6379)} {here}"
            f" --ray-client-server-port={ports.get('client', 10001)}"
            f' --dashboard-host=0.0.0.0 --dashboard-port="$CDSW_APP_PORT" {words}'
        )
    address = f'sed -n \'s/.*"gcs_address": "\\([^"]*\\)".*/\\1/p\' {file} 2>/dev/null'
    # The file is there before the GCS listens, and Ray's own patience with that is shorter than ours.
    listens = f'{programs}/python -c {shlex.quote(LISTENS)} "$a" 2>/dev/null'
    seconds = int(settings.join_timeout)
    return (
        f'n=0; until a="${{RAY_HEAD_ADDRESS:-$({address})}}"; [ -n "$a" ] && {listens}; do n=$((n+1));'
        f' [ $n -gt {seconds} ] && echo "no head after {seconds} s" && exit 1; sleep 1; done;'
        f' exec {ray} start --address="$a" {here} --dashboard-agent-listen-port="$CDSW_APP_PORT" {words}'
    )


def _note_connection(settings: NodeSettings, file: str) -> str:
    ports = settings.ports
    address = "$CDSW_IP_ADDRESS"
    info = {
        "cluster": settings.cluster,
        "epoch": 1,
        "node_address": address,
        "gcs_address": f"{address}:{ports.get('gcs', 6379)}",
        "client_address": f"{address}:{ports.get('client', 10001)}",
        "dashboard_address": f"{address}:$CDSW_APP_PORT",
        "dashboard_url": "$CAI_DEPLOY_URL",
        "ray_version": settings.ray_version,
        "python_version": "",
        "started_at": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
        "version": CONNECTION_VERSION,
    }
    # The seconds of the clock rise from one start to the next, as an epoch must.
    text = json.dumps(info).replace('"epoch": 1', '"epoch": $(date +%s)').replace('"', '\\"')
    return f'echo "{text}" > {file}.new && mv {file}.new {file}'


def _literal(settings: NodeSettings) -> str:
    """The settings as a JSON text inside a triple-quoted string, a key a line, for people to read and edit."""
    text = json.dumps(asdict(settings), indent=4, sort_keys=True)
    return 'r"""\n' + text.replace('"""', '\\"\\"\\"') + '\n"""'


@cache
def _templates() -> jinja2.Environment:
    package = Path(__file__).parent
    for directory in (package.parent / "launchers", package / "_shipped" / "launchers"):
        if (directory / "head.py.j2").is_file():
            return jinja2.Environment(
                loader=jinja2.FileSystemLoader(directory),
                undefined=jinja2.StrictUndefined,
                keep_trailing_newline=True,
                autoescape=False,  # noqa: S701 (Python is rendered, not HTML)
            )
    raise DeployError("the launcher templates are not installed", next_step="install cai_deploy again")
