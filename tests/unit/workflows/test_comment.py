"""The comment on a pull request: made once, then kept current. The workflow's own script, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.workflow_files import REPOSITORY, steps_of

NODE = shutil.which("node")

# What actions/github-script gives a script: `github`, `context` and `require`. The comments are a file's.
AROUND = """
const fs = require('node:fs');
const comments = JSON.parse(fs.readFileSync(process.env.COMMENTS, 'utf8'));
const here = (given) => {
  if (given.owner !== 'somebody' || given.repo !== 'something') throw new Error(JSON.stringify(given));
};
const issues = {
  listComments: async (given) => { here(given); return given.issue_number === 7 ? comments : []; },
  createComment: async (given) => {
    here(given);
    comments.push({ id: comments.length + 1, body: given.body, user: { type: 'Bot' } });
  },
  updateComment: async (given) => { here(given); comments[given.comment_id - 1].body = given.body; },
};
const github = { rest: { issues }, paginate: (list, given) => list(given) };
const context = { repo: { owner: 'somebody', repo: 'something' }, issue: { number: 7 } };
(async () => {
SCRIPT
fs.writeFileSync(process.env.COMMENTS, JSON.stringify(comments));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.skipif(NODE is None, reason="there is no Node here")
def test_one_comment_that_is_kept_current(tmp_path: Path) -> None:
    stranger = {"id": 1, "body": "<!-- cai_deploy: plan --> quoted by a person", "user": {"type": "User"}}
    (tmp_path / "comments.json").write_text(json.dumps([stranger]))
    for plan in ("one node more\n", "one node more\n", "`nothing` ${to} do\n"):
        comments = run_script(tmp_path, plan)
        assert comments == [
            stranger,
            {"id": 2, "body": f"<!-- cai_deploy: plan -->\n{plan}", "user": {"type": "Bot"}},
        ]


def run_script(directory: Path, plan: str) -> Any:
    steps = steps_of(REPOSITORY / ".github/workflows/deploy.yml")
    script = next(step.said["with"]["script"] for step in steps if "github-script" in step.said.get("uses", ""))
    (directory / "plan.md").write_text(plan)
    (directory / "comment.js").write_text(AROUND.replace("SCRIPT", script))
    environ = {"COMMENTS": str(directory / "comments.json"), "RUNNER_TEMP": str(directory)}
    assert NODE
    subprocess.run([NODE, directory / "comment.js"], check=True, env=environ, timeout=60)
    return json.loads((directory / "comments.json").read_text())
