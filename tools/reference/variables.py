"""The page of environment variables. That it has all those that the code names, and no others, is held by a test."""

from __future__ import annotations

from collections.abc import Mapping

from tools.reference.markdown import MADE, table

HEAD = """# Environment variables

What is set by flags or in the [specification](specification.md) counts for more than a variable.
"""

YOURS: Mapping[str, str] = {
    "CML_HOST": "The workspace, as `https://...`. Without it, and outside of a workload, the local workspace is used.",
    "CML_API_KEY": "An API v2 key of that workspace.",
    "CML_PROJECT_ID": "The project to use, by its id of 19 characters, instead of one that is found by its name.",
    "CAI_DEPLOY_HOME": "Where the local workspace keeps all that it has. Left out: `~/.cai-deploy`.",
    "CAI_DEPLOY_TRANSPORT": "`requests`, or `cmlapi` to send the workspace's calls through Cloudera's own client.",
    "CAI_DEPLOY_ACCEPT_NEW_HOST_KEYS": "`1` trusts hosts that SSH meets for the first time, as `--accept-new-host-keys` "
    "does.",
    "CAI_DEPLOY_POD_MODE": "How the local workspace walls its pods in: `root` and `userns` insist on namespaces, `loopback` "
    "does without. Left out: the best that this machine allows.",
    "CAI_DEPLOY_STOP_GRACE": "Seconds that the local workspace leaves between SIGTERM and SIGKILL.",
    "CAI_DEPLOY_WORKSPACE_SETTINGS": "Settings of the local workspace, as JSON: [local-workspace.md](../local-workspace.md#settings).",
    "REQUESTS_CA_BUNDLE": "A file with the private certificate authority of the workspace.",
    "SSL_CERT_FILE": "The same, where the first is not set.",
    "NO_COLOR": "Anything: no colours.",
}

OF_THE_PLATFORM: Mapping[str, str] = {
    "CDSW_API_URL": "The workspace, where `CML_HOST` is not set.",
    "CDSW_DOMAIN": "The same, where neither is set.",
    "CDSW_APIV2_KEY": "The key, where `CML_API_KEY` is not set.",
    "CDSW_PROJECT_ID": "The project, where `CML_PROJECT_ID` is not set.",
    "CDSW_APP_PORT": "The HTTP port of an application, so of a node.",
    "CDSW_IP_ADDRESS": "The address of the pod.",
    "JOB_ARGUMENTS": "The arguments of a job.",
}

BY_THE_LOCAL_WORKSPACE: Mapping[str, str] = {
    "CDSW_APP_POLLING_ENDPOINT": "Which path of an application is asked whether it is up.",
    "CDSW_CPU_MILLICORES": "What the pod has of the processor.",
    "CDSW_ENGINE_ID": "The run's or application's own id.",
    "CDSW_MEMORY_MB": "What the pod has of memory.",
    "CDSW_PROJECT": "The project's name.",
    "CDSW_PUBLIC_PORT": "As `CDSW_APP_PORT`.",
    "CDSW_READONLY_PORT": "As `CDSW_APP_PORT`.",
}

OF_A_NODE: Mapping[str, str] = {
    "CAI_DEPLOY_CLUSTER": "Mark of an application or a job: the cluster.",
    "CAI_DEPLOY_OWNER": "Mark: the project's id.",
    "CAI_DEPLOY_NODE": "Mark: the node.",
    "CAI_DEPLOY_GROUP": "Mark: the node's group.",
    "CAI_DEPLOY_FINGERPRINT": "Mark: a digest of all that makes the node what it is.",
    "CAI_DEPLOY_EPOCH": "Mark: of the claim under which it was made.",
    "CAI_DEPLOY_PROGRAM": "The digest of the program that the node runs.",
    "CAI_DEPLOY_ENVIRONMENT": "The name of the node's virtual environment.",
    "CAI_DEPLOY_PROJECT": "Mark of a project that was made for a cluster.",
    "CAI_DEPLOY_SCHEDULED": "Which scheduled job this is.",
    "CAI_DEPLOY_URL": "Where the node's application is reached from outside.",
    "CAI_DEPLOY_ADDRESS": "The node's address, where it cannot find out.",
    "CAI_DEPLOY_PLACE": "The place that the node is on, where it is no workspace.",
    "CAI_DEPLOY_SETTINGS": "What the deployer tells an agent that has no launcher.",
    "CAI_DEPLOY_SERVICE": "The Compose service that a container is of.",
    "CAI_DEPLOY_KEPT_BY": "On plain hosts, which keeper a process belongs to.",
    "CAI_DEPLOY_PROCESS": "On plain hosts, the keeper's number and the host's name, as `status` shows them.",
    "CAI_DEPLOY_CHECKPOINT": "On Slurm: seconds that a script has to save what it has.",
    "CAI_DEPLOY_HANDOVER": "On Slurm: `1` for a head that submits its successor.",
    "CAI_DEPLOY_IDLE": "On Slurm: when an idle head ends.",
    "CAI_DEPLOY_PORTS_FIRST": "On Slurm: where the head's block of ports begins.",
    "CAI_DEPLOY_RAYLET": "On Slurm: the raylet that a client's script belongs to.",
    "CAI_DEPLOY_RUN": "On Slurm: the script of an experiment, as a list of words in JSON.",
    "CAI_DEPLOY_RUN_DIRECTORY": "On Slurm: the directory that it runs in.",
    "CAI_DEPLOY_CLOCK_OFFSET": "On Slurm, for tests: seconds by which a head's clock is off.",
    "CAI_DEPLOY_GCS": "Where a worker's Ray waits for its head to be listed.",
    "CAI_DEPLOY_REAL_HOME": "What `HOME` was before Ray was given one of its own.",
    "CAI_DEPLOY_REAL_PYTHONPATH": "What `PYTHONPATH` was before that.",
    "CAI_DEPLOY_WORKSPACE_KEEPER": "The process with which a workspace of a test ends.",
    "RAY_HEAD_ADDRESS": "The head's GCS, for a node that is to look for no connection file.",
}

SECTIONS = (
    ("Yours to set", "", YOURS),
    (
        "Set by the platform",
        "In a session, a job or an application of a workspace they are there, so that `python -m cai_deploy` needs nothing else.",
        OF_THE_PLATFORM,
    ),
    (
        "Set by the local workspace besides",
        "As a workspace does; nothing of ours but the local workspace reads them.",
        BY_THE_LOCAL_WORKSPACE,
    ),
    (
        "Set by cai_deploy on what it makes",
        "Not yours to set; those that begin with `CAI_DEPLOY_` are refused under `env` of a group. You meet them in the "
        "workspace, so they are told here.",
        OF_A_NODE,
    ),
)


def page() -> str:
    """The whole page."""
    parts = [MADE, HEAD]
    for heading, told, variables in SECTIONS:
        parts += [f"## {heading}\n", *([f"{told}\n"] if told else ())]
        parts.append(table(("variable", ""), ((f"`{name}`", meaning) for name, meaning in variables.items())))
    return "\n".join(parts)
