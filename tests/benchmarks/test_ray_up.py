"""``cai_deploy`` beside Ray's own ``ray up``, on the same three hosts with real sshd, in one run.

First how long both take to three nodes ALIVE, in turns; then what becomes of both when something befalls a host. All
is judged by what is seen: the GCS's table of nodes, tasks on every host, an actor's count, processes that are left.
"""

from __future__ import annotations

import shlex
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.benchmarks.ray_up import HEAD, NODES, WORKER, Contender, HostsWithHomes, Ours, RayUp, environment_for_all
from tests.e2e.ssh_hosts import SshHosts, ssh_hosts, unavailable
from tests.polling import eventually

RUNS = 3
BY_ITSELF = 100.0
"""Seconds in which a cluster may get well by itself, before a person types the command again."""
CUT = 60.0
WRONG_KEY = 60.0

MISSING = unavailable() or ("" if shutil.which("rsync") else "needs rsync, which `ray up` copies files with")

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Fault:
    """Something that befalls the hosts. When ``befall`` returns it is over, and the cluster may get well."""

    what: str
    befall: Callable[[Contender], None]


def power_failure(contender: Contender) -> None:
    contender.hosts.switch_off(WORKER)
    time.sleep(5)  # as long as a short boot takes
    contender.hosts.switch_on(WORKER)
    for line in contender.hosts.boot_lines(WORKER):  # as its cron does
        contender.hosts.inside(WORKER, f"setsid sh -c {shlex.quote(line)} >/dev/null 2>&1 </dev/null &")


def cable(contender: Contender) -> None:
    contender.hosts.cut(WORKER)
    time.sleep(CUT)
    contender.hosts.mend(WORKER)


FAULTS = (
    Fault("a worker's raylet is killed", lambda each: each.kill_ray(WORKER, "raylet/raylet")),
    Fault("all of Ray on a worker's host is killed", lambda each: each.kill_ray(WORKER)),
    Fault("a worker's host loses power and boots", power_failure),
    Fault(f"a worker's network is cut for {CUT:.0f} s", cable),
    Fault("all of Ray on the head's host is killed", lambda each: each.kill_ray(HEAD)),
)


@pytest.fixture
def hosts() -> Iterator[SshHosts]:
    with ssh_hosts(NODES, HostsWithHomes) as running:
        yield running


@pytest.fixture
def contenders(hosts: SshHosts) -> tuple[Ours, RayUp]:
    environment = environment_for_all(hosts)
    ours = Ours(hosts, environment)
    ours.up()
    assert wait_until_whole(ours, 600)
    ours.put_aside()
    clear(ours)
    return ours, RayUp(hosts, environment)


def test_faults(contenders: tuple[Ours, RayUp]) -> None:
    """Ours first: who looks at a host's key has nothing more to do with a host whose key a story has changed."""
    ours, theirs = contenders
    told_of = {each.name: [told(each, *row) for row in story(each)] for each in (ours, theirs)}
    rows = {each.name: told_of[each.name] for each in (theirs, ours)}
    print(f"\n| what befalls it | {' | '.join(rows)} |\n|---|---|---|")
    for pair in zip(*rows.values(), strict=True):
        assert len({what for what, _ in pair}) == 1
        print(f"| {pair[0][0]} | {' | '.join(came for _, came in pair)} |")


def told(contender: Contender, what: str, came: str) -> tuple[str, str]:
    print(f"--- {contender.name}: {what}: {came}", flush=True)
    return what, came


def test_starts(contenders: tuple[Ours, RayUp]) -> None:
    ours, theirs = contenders
    seconds: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    for _ in range(RUNS):
        for each in (theirs, ours):
            each.get_ready()
            seconds[each.name].append(each.timed_up())
            print(f"--- {each.name}: {seconds[each.name][-1]:.1f} s")
            clear(each)
    ratios = [one / other for one, other in zip(seconds[ours.name], seconds[theirs.name], strict=True)]
    print(
        f"\n| {NODES} nodes ALIVE after the command | {ours.name} / {theirs.name} |\n|---|---|\n"
        f"| median | {statistics.median(ratios):.2f} |\n| least | {min(ratios):.2f} |\n| most | {max(ratios):.2f} |"
    )
    print({name: [round(each, 1) for each in all_of] for name, all_of in seconds.items()})


def story(contender: Contender) -> Iterator[tuple[str, str]]:
    """What befalls one cluster after the other, and what came of it. At the end the head's host has another key."""
    contender.get_ready()
    contender.up()
    contender.come_back_after_boots()
    assert wait_until_whole(contender, 600)
    yield "the command is run again", second_run(contender)
    for fault in FAULTS:
        yield fault.what, suffer(contender, fault)
    yield "more workers than hosts have room for", words(contender.up_too_many().status, contender)
    contender.up()
    contender.down()
    left = contender.left()
    yield "what `down` leaves running", f"{len(left)} processes" if left else "nothing"
    print(f"{contender.name} leaves {left}")
    clear(contender)
    contender.get_ready()
    yield f"a wrong key, for {WRONG_KEY:.0f} s", words(contender.up_with_a_wrong_key(WRONG_KEY).status, contender)
    clear(contender)
    contender.get_ready()
    contender.hosts.change_host_key(HEAD)
    yield "a host shows another key than before", words(contender.up().status, contender)
    clear(contender)


def second_run(contender: Contender) -> str:
    before = contender.count()
    status = contender.up().status
    wait_until_whole(contender, BY_ITSELF)
    return f"status {status}; {fate(before, contender.count())}"


def suffer(contender: Contender, fault: Fault) -> str:
    before = contender.count()
    fault.befall(contender)
    began = time.monotonic()
    if wait_until_whole(contender, BY_ITSELF):
        how = f"whole again by itself after {time.monotonic() - began:.0f} s"
    else:
        status, began = contender.up().status, time.monotonic()
        well = wait_until_whole(contender, BY_ITSELF)
        how = f"not by itself in {BY_ITSELF:.0f} s; the command again (status {status}): "
        how += f"whole {time.monotonic() - began:.0f} s after it" if well else "not whole either"
    came = f"{how}; {fate(before, contender.count())}"
    if not contender.whole():
        clear(contender)
        contender.get_ready()
        contender.up()
        wait_until_whole(contender, BY_ITSELF)
    return came


def fate(before: int | None, after: int | None) -> str:
    """What became of the actor, by its counts."""
    if after is None or before is None:
        return "its actor does not answer"
    return "its actor goes on" if after == before + 1 else "its actor begins anew"


def words(status: int, contender: Contender) -> str:
    return {0: "goes through", 124: "still tries"}.get(status, f"ends with {status}")


def wait_until_whole(contender: Contender, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not contender.whole():
        if time.monotonic() > end:
            return False
        time.sleep(1)
    return True


def clear(contender: Contender) -> None:
    """Have nothing left of a cluster, whatever its own ``down`` can do: the hosts are switched off and on."""
    contender.down()
    if contender.left():
        for number in contender.hosts.numbers:
            contender.hosts.switch_off(number)
            contender.hosts.switch_on(number)
    eventually(lambda: not contender.left(), seconds=60)
