"""The same done on many hosts at once, and who of them could not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from cai_deploy.errors import DeployError
from cai_deploy.places.ssh.errors import HostUnreachable
from cai_deploy.ssh_hosts import SshHost

Result = TypeVar("Result")

AT_ONCE = 64


@dataclass(frozen=True)
class Answers(Generic[Result]):
    """What each host that answered came to, and why each of the others did not answer, by their names."""

    done: Mapping[str, Result]
    silent: Mapping[str, str]


def ask_all(hosts: Iterable[SshHost], ask: Callable[[SshHost], Result]) -> Answers[Result]:
    """Ask each host. Raises the first error that is more than that a host does not answer."""
    found, silent = {}, {}
    for host, outcome in _outcomes(hosts, ask).items():
        if isinstance(outcome, HostUnreachable):
            silent[host] = str(outcome)
        elif isinstance(outcome, DeployError):
            raise outcome
        else:
            found[host] = outcome
    return Answers(found, silent)


def do_all(hosts: Iterable[SshHost], do: Callable[[SshHost], Result]) -> dict[str, Result]:
    """Have each host do it. Raises the first error, after all have ended."""
    done: dict[str, Result] = {}
    for host, outcome in _outcomes(hosts, do).items():
        if isinstance(outcome, DeployError):
            raise outcome
        done[host] = outcome
    return done


def _outcomes(hosts: Iterable[SshHost], do: Callable[[SshHost], Result]) -> dict[str, Result | DeployError]:
    crowd = list(hosts)

    def outcome(host: SshHost) -> Result | DeployError:
        try:
            return do(host)
        except DeployError as error:
            return error

    if not crowd:
        return {}
    with ThreadPoolExecutor(min(len(crowd), AT_ONCE)) as pool:
        return dict(zip([host.name for host in crowd], pool.map(outcome, crowd), strict=True))
