"""What a node knows of the job that it is, and the ports that it then uses."""

from __future__ import annotations

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.node.batch.batch_job import BatchJob, on_block
from cai_deploy.node.batch.port_blocks import Block
from cai_deploy.node.pod import Pod, own_address
from cai_deploy.node_settings import NodeSettings

HEAD = NodeSettings("ray", "head", "head", "ray-1", "2.60.0", 1, 1, ports={"gcs": 6379, "client": 10001})


def test_a_job_of_slurm() -> None:
    environ = {
        "SLURM_JOB_ID": "17",
        "SLURMD_NODENAME": "n3",
        "CAI_DEPLOY_PORTS_FIRST": "12000",
        "CAI_DEPLOY_CHECKPOINT": "90",
        "CAI_DEPLOY_HANDOVER": "1",
        "CAI_DEPLOY_IDLE": "{}",
    }
    assert BatchJob.from_environment(environ) == BatchJob(17, "n3", 12000, 90.0, True, "{}")
    assert BatchJob.from_environment({"SLURM_JOB_ID": "17"}) == BatchJob(17, "", None, 60.0, False, "")


def test_no_job_of_slurm() -> None:
    assert BatchJob.from_environment({}) is None
    assert BatchJob.from_environment({"SLURM_JOB_ID": "17", "CDSW_APP_PORT": "8100"}) is None, "the platform's own"


@pytest.mark.parametrize("name", ["SLURM_JOB_ID", "CAI_DEPLOY_PORTS_FIRST", "CAI_DEPLOY_CHECKPOINT"])
def test_what_is_no_number(name: str) -> None:
    with pytest.raises(ConfigError):
        BatchJob.from_environment({"SLURM_JOB_ID": "17", name: "x"})


def test_every_port_is_the_blocks_but_those_that_are_pinned() -> None:
    block = Block(20_000)
    assert on_block(block, HEAD).ports == block.named()
    pinned = NodeSettings(**{**vars(HEAD), "pinned_ports": ["gcs", "serve"]})
    assert on_block(block, pinned).ports == {**block.named(), "gcs": 6379}
    worker = NodeSettings(**{**vars(pinned), "role": "worker"})
    assert on_block(block, worker).ports == block.named(), "the head may be on the same machine"


def test_two_jobs_of_one_number_do_not_share_a_port() -> None:
    first = BatchJob(17, "n1").take_ports(1)
    second = BatchJob(17, "n1").take_ports(1)
    try:
        assert not set(first.block.all()) & set(second.block.all())
    finally:
        first.release()
        second.release()


@pytest.mark.parametrize(
    ("given", "address"), [("10.1.2.3", "10.1.2.3"), ("127.0.0.1", own_address()), ("", own_address())]
)
def test_the_address_of_a_machine_that_has_several(given: str, address: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert Pod.from_environment({"CAI_DEPLOY_NODE": "x", "CAI_DEPLOY_ADDRESS": given}, tmp_path).address == address
