"""Settings -> one shell line that an application runs where no launcher script can be used. Pure.

It is `ray start ... --block` itself, with the least around it: a shell, and the environment that the setup job built.
There is no agent, so nothing follows a head that moves, and nobody drains.
"""

from __future__ import annotations

import json
import shlex

from cai_deploy import layout
from cai_deploy.connection import VERSION as CONNECTION_VERSION
from cai_deploy.node_settings import NodeSettings

NO_REPORT = "RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9"
"""Ray sends one report even with its statistics off; this sends it nowhere."""

MAKE_RANDOM = "import secrets, sys; sys.stdout.write(secrets.token_hex(32))"

LISTENS = "import socket, sys; h, p = sys.argv[1].rsplit(':', 1); socket.create_connection((h, int(p)), 2)"


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
        *(("--resources", json.dumps(settings.resources, sort_keys=True)) if settings.resources else ()),
        *("--min-worker-port", "0", "--max-worker-port", "0"),
        "--disable-usage-stats",
        "--block",
    ]
    told = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    # The epoch is the application's, and changes without a change of what it runs: the shell fills it in.
    words = f'--labels cai-deploy/epoch="${{CAI_DEPLOY_EPOCH:-0}}",{shlex.quote(told)} {shlex.join(common)}'
    here = '--node-ip-address="$CDSW_IP_ADDRESS" --temp-dir="$(mktemp -d /tmp/ray-XXXXXX)"'
    file = layout.connection_file(settings.cluster)
    if settings.role == "head":
        ports = settings.ports
        return (
            f"mkdir -p {layout.cluster_dir(settings.cluster)} && {_make_token(settings, programs)}"
            f"{_use_token(settings)} && {_note_connection(settings, file)} && "
            f"exec {ray} start --head --port={ports.get('gcs', 6379)} {here}"
            f" --ray-client-server-port={ports.get('client', 10001)}"
            f' --dashboard-host=0.0.0.0 --dashboard-port="$CDSW_APP_PORT" {words}'
        )
    address = f'sed -n \'s/.*"gcs_address": "\\([^"]*\\)".*/\\1/p\' {file} 2>/dev/null'
    # The file is there before the GCS listens, and Ray's own patience with that is shorter than ours.
    listens = f'{programs}/python -c {shlex.quote(LISTENS)} "$a" 2>/dev/null'
    seconds = int(settings.join_timeout)
    return (
        f"{_use_token(settings)}; n=0;"
        f' until a="${{RAY_HEAD_ADDRESS:-$({address})}}"; [ -n "$a" ] && {listens}; do n=$((n+1));'
        f' [ $n -gt {seconds} ] && echo "no head after {seconds} s" && exit 1; sleep 1; done;'
        f' exec {ray} start --address="$a" {here} --dashboard-agent-listen-port="$CDSW_APP_PORT" {words}'
    )


def _make_token(settings: NodeSettings, programs: str) -> str:
    """Make the cluster's token unless there is one, so that nobody ever reads half of it, and only its owner all."""
    if settings.authentication == "none":
        return ""
    file = layout.token_file(settings.cluster)
    make = f"{programs}/python -c {shlex.quote(MAKE_RANDOM)} > {file}.$$"
    return (
        f"(umask 077; [ -s {file} ] || {{ {make} && {{ ln {file}.$$ {file} 2>/dev/null || [ -s {file} ] ||"
        f" mv {file}.$$ {file}; }}; rm -f {file}.$$; [ -s {file} ]; }}) && "
    )


def _use_token(settings: NodeSettings) -> str:
    if settings.authentication == "none":
        return "export RAY_AUTH_MODE=disabled"
    path = layout.token_file(settings.cluster)
    return f'unset RAY_AUTH_TOKEN && export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$PWD/{path}"'


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
        "token_path": layout.token_file(settings.cluster) if settings.authentication == "token" else "",
        "started_at": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
        "version": CONNECTION_VERSION,
    }
    # The seconds of the clock rise from one start to the next, as an epoch must.
    text = json.dumps(info).replace('"epoch": 1', '"epoch": $(date +%s)').replace('"', '\\"')
    return f'echo "{text}" > {file}.new && mv {file}.new {file}'
