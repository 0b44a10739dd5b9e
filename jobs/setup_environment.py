"""CML job: build the cluster's virtual environment in this project. All logic is in cai_deploy.project.environment.

Arguments come in JOB_ARGUMENTS:
    --requirements requirements/cluster.txt --python 3.11 --runtime IMAGE [--environment NAME]
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from cai_deploy.errors import ConfigError
from cai_deploy.project import environment, job


def work(tell):
    parser = job.Arguments(prog="setup_environment")
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--environment")
    wanted = parser.parse_job_arguments()
    name = environment.environment_name(wanted.requirements.read_text(), wanted.python, wanted.runtime)
    if wanted.environment not in (None, name):
        raise ConfigError(
            f"{wanted.requirements} makes {name}, not {wanted.environment}",
            next_step="the project's code has moved; run the same command again",
        )
    tell(f"environment {name} for Python {wanted.python}")
    result = environment.build_environment(Path.cwd(), wanted.requirements, wanted.python, name)
    tell(f"built in {result.seconds:.1f} s" if result.built else "nothing to do: it stands already")
    if result.told:
        tell(result.told)


job.run("setup_environment", work)
