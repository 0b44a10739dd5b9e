"""What `plan --requests` shows of a request, and what of it is nobody's to see."""

from __future__ import annotations

from typing import Any

from cai_deploy.cli.output import shown_request
from cai_deploy.places.slurm.build import build
from cai_deploy.places.slurm.node_jobs import Where
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Step

VARIABLES = {"API_KEY": "it's a 'secret'", "MOTTO": "it's no secret", "PASSWORD": "1"}


def shown(**request: Any) -> dict[str, Any]:
    told = shown_request(Step("create", "node", "head", "", 0, request=request))
    assert told
    return dict(told)


def test_an_application() -> None:
    body = shown(method="POST", body={"environment": VARIABLES})["body"]
    assert body == {"environment": {"API_KEY": "***", "MOTTO": "it's no secret", "PASSWORD": "***"}}


def test_a_batch_script() -> None:
    spec = ClusterSpec.model_validate({"place": "slurm", "head": {"env": VARIABLES}})
    wanted = build(spec, SlurmObservation(requirements="ray==2.60.0\n"), Where("/shared", "0" * 16, 7))
    request = dict(wanted.nodes[0].create)
    told = shown(**request)
    assert told["environment"] == {"API_KEY": "***", "MOTTO": "it's no secret", "PASSWORD": "***"}
    lines, real = told["text"].splitlines(), request["text"].splitlines()
    assert "export API_KEY=***" in lines
    assert "export PASSWORD=***" in lines
    assert [line for line in lines if line in real] == [
        line for line in real if "KEY=" not in line and "WORD=" not in line
    ]


def test_a_step_that_sends_nothing() -> None:
    assert shown_request(Step("stop", "node", "head", "", 0)) is None
