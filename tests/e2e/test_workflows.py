"""The deploy workflow and the action, for a repository that holds nothing of ours: their very steps, really run.

One cluster for all of it. The repository is a bare one, as on a server; a run begins with a clone of it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.transport import Transport
from tests.e2e.conftest import Shell, git
from tests.e2e.jobs import exported
from tests.e2e.runner import Finished, Runner
from tests.workflow_files import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXAMPLE = Path(__file__).with_name("example_repository")
PUSH = {
    "event_name": "push",
    "repository": "somebody/example",
    "event.pull_request.head.repo.full_name": "",
}
PULL_REQUEST = {**PUSH, "event_name": "pull_request", "event.pull_request.head.repo.full_name": "somebody/example"}
FORKED = {**PULL_REQUEST, "event.pull_request.head.repo.full_name": "stranger/example"}


@dataclass
class Team:
    """Who works on the example: their desk, the machine that runs their workflows, and a clone of this repository."""

    desk: Path
    runner: Runner
    ours: Path

    def commit(self, path: str, text: str, branch: str = "main") -> str:
        git(self.desk, "checkout", "-qB", branch)
        (self.desk / path).write_text(text)
        git(self.desk, "add", "--all")
        git(self.desk, "commit", "-qm", f"change {path}")
        git(self.desk, "push", "-q", "origin", branch)
        return self.tip

    @property
    def tip(self) -> str:
        return git(self.desk, "rev-parse", "HEAD").strip()

    def run(self, event: dict[str, str]) -> Finished:
        """The deploy workflow for what was committed last."""
        return self.runner.workflow(self.ours / ".github/workflows/deploy.yml", event, self.tip)

    def act(self, **inputs: str) -> Finished:
        """The action, in a clone of what was committed last."""
        self.runner.check_out(self.tip)
        named = {name.replace("_", "-"): text for name, text in inputs.items()}
        host = {"host": self.runner.variables["CML_HOST"], "api-key": self.runner.secrets["CML_API_KEY"]}
        return self.runner.action(self.ours / "action.yml", host | named)


@pytest.fixture
def team(person: Callable[..., Shell]) -> Team:
    """A team with a workspace of its own, for one test: a second try begins from nothing too."""
    shell = person()
    shell.ok("workspace", "start")
    target = exported(shell)
    wheel = built(shell.checkout, shell.checkout.parent / "dist")
    variables = {"CML_HOST": target["CML_HOST"], "CAI_DEPLOY": f"cai-deploy[submit] @ {wheel.as_uri()}"}
    return beginning(shell.checkout, {"CML_API_KEY": target["CML_API_KEY"]}, variables)


def beginning(ours: Path, secrets: dict[str, str], variables: dict[str, str]) -> Team:
    """A team whose repository has its first commit. All stands beside ``ours``."""
    root = ours.parent
    desk, origin, machine = root / "desk", root / "origin.git", root / "machine"
    shutil.copytree(EXAMPLE, desk)
    git(root, "init", "-q", "--initial-branch", "main", str(desk))
    git(desk, "add", "--all")
    git(desk, "commit", "-qm", "begin")
    git(root, "clone", "-q", "--bare", str(desk), str(origin))
    git(desk, "remote", "add", "origin", str(origin))
    machine.mkdir()
    return Team(desk, Runner(machine, origin, secrets, variables), ours)


def built(ours: Path, into: Path) -> Path:
    """The wheel of ``ours``."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", into, ours], check=True)
    return next(into.glob("*.whl"))


@pytest.mark.timeout(1500)  # a dozen runs of pip, on machines with other things to do
def test_pushes_pull_requests_and_the_action(team: Team) -> None:
    first_push(team)
    the_same_push_again(team)
    a_pull_request_changes_nothing(team)
    a_merge_restarts_only_what_must_be(team)
    the_action_finds_nothing_to_do_and_takes_it_down(team)


def first_push(team: Team) -> None:
    done = team.run(PUSH)
    assert done.ok
    assert done.skipped == ["comment"]
    plan = done.step("Plan").summary
    assert plan.startswith("### Cluster `example`: ")
    assert "+ create node worker-0: does not exist" in plan
    outputs = done.outputs["deploy"]
    assert (outputs["nodes"], outputs["ray-version"]) == ("2", "2.60.0")
    assert outputs["head-url"].startswith("http://")
    assert outputs["head-url"] in done.step("Say what is there").summary
    assert "a task ran and 2 nodes are ALIVE" in done.step("Run a task on the cluster").told


def the_same_push_again(team: Team) -> None:
    before = nodes(team)
    done = team.run(PUSH)
    assert done.ok
    assert done.step("Plan").summary.startswith("### Cluster `example`: nothing to do\n")
    assert "nothing to do: 2 nodes ALIVE" in done.step("Deploy").told
    assert nodes(team) == before


def a_pull_request_changes_nothing(team: Team) -> None:
    before = nodes(team)
    text = (team.desk / "cai-deploy.yaml").read_text()
    commit = team.commit("cai-deploy.yaml", text.replace("replicas: 1, cpu: 1", "replicas: 1, cpu: 2"), "more-cpu")
    done = team.run(PULL_REQUEST)
    assert done.ok
    assert done.skipped == ["deploy", "smoke"]
    plan = done.step("Plan").summary
    assert f"create code {commit[:12]}" in plan
    assert "! restart node worker-0: " in plan
    assert "node head" not in plan
    assert (Path(team.runner.temporary) / "plan.md").read_text() == plan, "as the comment has it"
    assert nodes(team) == before
    assert team.run(FORKED).skipped == ["plan", "comment", "deploy", "smoke"]


def a_merge_restarts_only_what_must_be(team: Team) -> None:
    before = nodes(team)
    git(team.desk, "checkout", "-q", "main")
    git(team.desk, "merge", "-q", "--ff-only", "more-cpu")
    git(team.desk, "push", "-q", "origin", "main")
    done = team.run(PUSH)
    assert done.ok
    told = done.step("Deploy").told
    assert f"create code {team.tip[:12]}: " in told
    assert "restart node worker-0: " in told
    assert "node head" not in told
    now = nodes(team)
    assert now["example-head"] == before["example-head"]
    assert now["example-worker-0"] != before["example-worker-0"]


def the_action_finds_nothing_to_do_and_takes_it_down(team: Team) -> None:
    before = nodes(team)
    done = team.act(smoke="python square.py")
    assert done.ok
    assert done.step("Plan").summary.startswith("### Cluster `example`: nothing to do\n")
    assert "nothing to do: 2 nodes ALIVE" in done.step("Deploy").told
    assert "squares: 285" in done.step("Run the smoke command on the cluster").told
    outputs = done.outputs["action"]
    assert (outputs["cluster"], outputs["converged"], outputs["nodes"]) == ("example", "true", "2")
    assert nodes(team) == before

    assert team.act(command="down").ok
    gone = team.act(command="down")
    assert "nothing to do: no nodes" in gone.step("Down").told
    assert gone.outputs["action"]["nodes"] == "0"


def test_the_action_says_what_it_was_not_given(tmp_path: Path) -> None:
    (tmp_path / "ours").symlink_to(REPOSITORY)
    team = beginning(tmp_path / "ours", {"CML_API_KEY": "a-key"}, {"CML_HOST": "http://127.0.0.1:9"})
    refused = team.act(api_key="")
    assert not refused.ok
    assert refused.step("Check the inputs").told == (
        "::error title=cai_deploy::the inputs host and api-key are needed; is the secret there for this event?\n"
    )
    assert [step.name for step in refused.steps] == ["Check the inputs", "Say what is wrong"]
    assert refused.step("Say what is wrong").status == 0
    misspelt = team.act(command="destroy; true")
    assert misspelt.step("Check the inputs").status == 2


def nodes(team: Team) -> dict[str, tuple[str, str]]:
    """Each node's application, and when it was last started."""
    client = Client(Transport(team.runner.variables["CML_HOST"], team.runner.secrets["CML_API_KEY"]))
    project = client.projects.find("example")
    assert project
    return {each.name: (each.id, each.starting_at) for each in client.applications.list(project.id)}
