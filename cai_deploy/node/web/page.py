"""The cluster page at ``/``: what the overview tells, for people. Pure.

Every value is escaped here. Links are relative or to Ray's own documentation, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from cai_deploy.node.web.web_page import SCRIPT, framed

Facts = Mapping[str, Any]

TONES = {
    "ALIVE": "good",
    "DRAINING": "busy",
    "DEAD": "bad",
    "PENDING": "busy",
    "RUNNING": "busy",
    "SUCCEEDED": "good",
    "FAILED": "bad",
    "joined": "good",
    "lost": "bad",
    "head_moved": "busy",
}
"""How states of nodes and jobs and kinds of events are coloured; others are not."""

RESERVED = {"cpu": "CPU reserved", "memory": "Memory reserved", "gpu": "GPU reserved"}
"""Ray counts what tasks and actors asked for, not what they use."""

KINDS = {"head_started": "head", "head_moved": "head moved"}
GIB = 1024**3
MOST_EVENTS = 20


def cluster_page(facts: Facts, sign_out: str) -> str:
    """The whole page. ``sign_out`` is where a form is posted that ends the visit, "" where there is no door."""
    now = datetime.fromisoformat(facts["now"])
    leave = f'<form method="post" action="{escape(sign_out)}"><button class="quiet">Sign out</button></form>'
    body = f"""<header>
<h1>Cluster {escape(facts["cluster"])}</h1>
<nav aria-label="Ways on"><a class="button main" href="dashboard/">Ray dashboard</a>
{leave if sign_out else ""}</nav>
</header>
<p id="lost" class="wrong" role="status" hidden>The head does not answer. Trying again…</p>
<main>
<div id="facts" data-live>{_summary(facts, now)}</div>
<section><h2>Nodes</h2><div id="nodes" class="card" data-live>{_nodes(facts, now)}</div></section>
<section><h2>Jobs</h2><div id="jobs" class="card" data-live>{_jobs(facts["jobs"], now)}</div></section>
<section><h2>Serve</h2><div id="serve" class="card" data-live>{_serve(facts["serve"])}</div></section>
<section><h2>What happened</h2><div id="events" class="card" data-live>{_events(facts["events"], now)}</div></section>
<section><h2>Connect</h2><div class="card">{_snippets(facts)}</div>
<p class="dim"><a href="https://docs.ray.io/en/releases-{escape(facts["ray_version"])}/" rel="noreferrer">The
documentation of Ray {escape(facts["ray_version"])}</a></p></section>
</main>"""
    return framed(f"{facts['cluster']} · Ray cluster", body, script=SCRIPT)


def ago(moment: str | None, now: datetime) -> str:
    """How long ago, roughly."""
    if not moment:
        return "–"  # noqa: RUF001 (a dash that is as long as it looks)
    seconds = max(int((now - datetime.fromisoformat(moment)).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size or (size == 1 and seconds):
            return f"{seconds // size} {unit} ago"
    return "now"


def _summary(facts: Facts, now: datetime) -> str:
    if not facts["answers"]:
        return '<p class="state busy" role="status">Ray does not answer: it is starting, or started again</p>'
    alive = [node for node in facts["nodes"] if node["state"] in ("ALIVE", "DRAINING")]
    told = [
        ("Nodes", f"{len(alive)} alive"),
        *((label, text) for name, label in RESERVED.items() for text in _sum(alive, name)),
        ("Ray", f"{facts['ray_version']} on Python {facts['python_version']}"),
        ("Head since", f"{ago(facts['started_at'], now)} (epoch {facts['epoch']})"),
    ]
    return f"<dl>{''.join(f'<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>' for name, text in told)}</dl>"


def _sum(nodes: Sequence[Facts], name: str) -> Iterable[str]:
    total = sum(node[name]["total"] for node in nodes)
    if total:
        yield _reserved({"total": total, "used": sum(node[name]["used"] or 0.0 for node in nodes)}, name)


def _reserved(share: Facts, name: str) -> str:
    """How much of a resource is reserved, in words."""
    unit, size = (" GB", GIB) if name == "memory" else ("", 1)
    total = f"{share['total'] / size:.3g}{unit}"
    return total if share["used"] is None else f"{share['used'] / size:.3g} of {total}"


def _nodes(facts: Facts, now: datetime) -> str:
    nodes = facts["nodes"]
    gpus = any(node["gpu"]["total"] for node in nodes)
    labels = [
        "State",
        "Address",
        *(label for name, label in RESERVED.items() if gpus or name != "gpu"),
        "Group",
        "Since",
    ]
    rows = "".join(_node(node, labels, now) for node in nodes)
    return _table(["Node", *labels], rows) if rows else '<p class="empty">No nodes yet.</p>'


def _node(node: Facts, labels: Sequence[str], now: datetime) -> str:
    work = {True: "idle", False: "busy"}.get(node["idle"], "")
    group = f"{escape(node['group'])}{_badge('change ' + node['epoch']) if node['epoch'] else ''}"
    values = {
        "State": f"{_state(node['state'])}{_badge(work) if work else ''}",
        "Address": f'<span class="mono">{escape(node["address"])}</span>',
        **{label: _meter(node[name], name) for name, label in RESERVED.items()},
        "Group": group,
        "Since": _time(node["since"], now),
    }
    cells = "".join(f'<td data-label="{label}"><div>{values[label]}</div></td>' for label in labels)
    return f'<tr><th scope="row">{escape(node["name"])}</th>{cells}</tr>'


def _meter(share: Facts, name: str) -> str:
    words = escape(_reserved(share, name))
    if not share["total"] or share["used"] is None:
        return words
    return f'{words}<meter min="0" max="{share["total"]:.6g}" value="{share["used"]:.6g}">{words}</meter>'


def _jobs(jobs: Sequence[Facts], now: datetime) -> str:
    rows = "".join(_job(job, now) for job in jobs)
    labels = ["Job", "Status", "Entrypoint", "Started", "Ended"]
    return _table(labels, rows) if rows else '<p class="empty">No job has been submitted.</p>'


def _job(job: Facts, now: datetime) -> str:
    code = _badge(f"exit code {job['exit_code']}") if job["exit_code"] else ""
    link = f"dashboard/#/jobs/{escape(job['id'])}"
    return (
        f'<tr><th scope="row"><a href="{link}">{escape(job["id"])}</a></th>'
        f'<td data-label="Status"><div>{_state(job["status"])}{code}</div></td>'
        f'<td data-label="Entrypoint" class="wide"><code>{escape(job["entrypoint"])}</code></td>'
        f'<td data-label="Started">{_time(job["started_at"], now)}</td>'
        f'<td data-label="Ended">{_time(job["ended_at"], now)}</td></tr>'
    )


def _serve(routes: Mapping[str, str]) -> str:
    items = [
        f'<li><a class="mono" href="serve{escape(route)}">/serve{escape(route)}</a><span>{escape(name)}</span></li>'
        for route, name in sorted(routes.items())
    ]
    return f"<ul>{''.join(items)}</ul>" if items else '<p class="empty">No application is served.</p>'


def _events(events: Sequence[Facts], now: datetime) -> str:
    items = [
        f'<li>{_time(event["at"], now)}<span class="kind">{_state(event["kind"], KINDS.get(event["kind"], ""))}</span>'
        f"<span>{escape(event['text'])}</span></li>"
        for event in events[:MOST_EVENTS]
    ]
    return f"<ul>{''.join(items)}</ul>" if items else '<p class="empty">Nothing yet.</p>'


def _snippets(facts: Facts) -> str:
    told = [
        ("A job, from a checkout", "python -m cai_deploy submit -- python train.py"),
        ("Addresses and a tunnel for Ray Client, from a checkout", "python -m cai_deploy connect"),
        ("In a session of the same project", _session(facts)),
    ]
    return "".join(
        f"<figure><figcaption>{escape(what)}</figcaption><pre>{escape(text)}</pre></figure>" for what, text in told
    )


def _session(facts: Facts) -> str:
    lines = ["import os, ray"]
    if facts["token_path"]:
        lines += [
            'os.environ["RAY_AUTH_MODE"] = "token"',
            f'os.environ["RAY_AUTH_TOKEN_PATH"] = os.path.expanduser("~/{facts["token_path"]}")',
        ]
    if facts["authority_path"]:
        lines += [
            "from cai_deploy.node.tls import certified",
            f"os.environ.update(certified({json.dumps(facts['cluster'])}))",
        ]
    return "\n".join([*lines, f'ray.init("ray://{facts["client_address"]}")'])


def _table(labels: Sequence[str], rows: str) -> str:
    heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _state(state: str, said: str = "") -> str:
    return f'<span class="state {TONES.get(state, "")}">{escape((said or state).lower())}</span>'


def _badge(text: str) -> str:
    return f'<span class="badge">{escape(text)}</span>'


def _time(moment: str | None, now: datetime) -> str:
    if not moment:
        return "<time>–</time>"  # noqa: RUF001
    return f'<time datetime="{escape(moment)}" title="{escape(moment)}">{ago(moment, now)}</time>'
