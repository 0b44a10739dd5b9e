"""Settings -> the launcher script that an application runs.

The only reader of ``launchers/``. Pure but for reading the templates: equal settings give equal text, and the
fingerprint of a launcher is that of its text, so that it changes exactly when a node would run something else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache

import jinja2

from cai_deploy import layout, shipped
from cai_deploy.node_settings import NodeSettings, Role

LAUNCHER_SIGN = "written by cai_deploy"
"""In the first line of every launcher of ours; a file without it is somebody's own."""


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
        sign=LAUNCHER_SIGN,
        settings=settings,
        settings_literal=_literal(settings),
        default_node="head" if settings.role == "head" else f"{settings.group}-0",
        environments_dir=layout.ENVIRONMENTS_DIR,
        code_dir=layout.CODE_DIR,
        ready_mark=layout.READY_MARK,
        copy_note=layout.COPY_NOTE,
        log_file=layout.node_log_file(settings.cluster, "{NODE}"),
    )
    return Launcher(settings.role, path, text)


def _literal(settings: NodeSettings) -> str:
    """The settings as a JSON text inside a triple-quoted string, a key a line, for people to read and edit."""
    text = json.dumps(asdict(settings), indent=4, sort_keys=True)
    return 'r"""\n' + text.replace('"""', '\\"\\"\\"') + '\n"""'


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped.find(shipped.LAUNCHERS)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Python is rendered, not HTML)
    )
