"""A run: the phases one after the other, while traffic goes on."""

import asyncio
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from benchmarks.soak import requests
from benchmarks.soak.faults import Faults
from benchmarks.soak.findings import Ending, Findings, GuestsLeft
from benchmarks.soak.http_client import Client, Unanswered
from benchmarks.soak.lives import PREFIX
from benchmarks.soak.pools import Pool
from benchmarks.soak.samples import Phase
from benchmarks.soak.schedule import Planned
from benchmarks.soak.slow_clients import SlowClients
from benchmarks.soak.stage import HANGING_PATH, Stage, set_up
from benchmarks.soak.traffic import Clock, Target
from benchmarks.soak.watching import Watch, pool_uses, workers_of
from support.service import Service, token
from support.xapi import PASSWORD, USER

MOCK, CALM, FAULTY = "mock", "calm pool", "faulty pool"
_TIMEOUT_SECONDS = 20
#: For each target: three times the threads that the service has by default on two cores.
_MAX_IN_FLIGHT = 200
_STOP_SECONDS = 60
#: After the arbiter's end: for what it has killed to go.
_LEAVE_SECONDS = 5
_LOOKS = 60
_MIN_LOOK_SECONDS = 1
_EXPORTS = 3


@dataclass(frozen=True, kw_only=True)
class Load:
    """How much traffic there is."""

    #: Requests a second, of all targets.
    rate: float
    seed: int


def run(plan: list[Planned], load: Load, folder: Path) -> Findings:
    """Run a service through a plan.

    :param folder: where the files of the service go
    """
    with set_up(folder, plan) as stage:
        findings = asyncio.run(_conduct(stage, plan, load))
        findings.ending = stop(stage.service, findings.workers)
        findings.pools_left = pool_uses(_pools(stage))
    return findings


async def _conduct(stage: Stage, plan: list[Planned], load: Load) -> Findings:
    targets = _targets(stage, load)
    for target in targets.values():
        await target.find_seeded()
    arbiter = psutil.Process(stage.service.process.pid)
    client = targets[FAULTY].client
    clock, seconds = Clock(), sum(phase.seconds for phase in plan)
    watch = Watch(arbiter, _pools(stage), clock, [phase.name for phase in plan])
    findings, cpu_seconds = Findings(tuple(targets), _TIMEOUT_SECONDS), time.process_time()
    async with asyncio.TaskGroup() as background:
        faults = Faults(
            pool=stage.faulty,
            target=targets[FAULTY],
            arbiter=arbiter,
            client=client,
            slow=SlowClients(stage.service.address),
            random=Random(f"{load.seed} faults"),  # noqa: S311  to be the same again
            background=background,
            exports=await _exports(client),
            hanging=HANGING_PATH,
        )
        watching = background.create_task(watch.run(max(_MIN_LOOK_SECONDS, seconds / _LOOKS)))
        traffic = [background.create_task(target.run(clock)) for target in targets.values()]
        for number, planned in enumerate(plan):
            begin_seconds, clock.phase = clock.seconds, number
            async with faults.during(planned.name, planned.seconds):
                await asyncio.sleep(planned.seconds)
            findings.phases.append(Phase(planned.name, planned.round, begin_seconds, clock.seconds))
        clock.is_over = True
        findings.generator_share = (time.process_time() - cpu_seconds) / clock.seconds
        await asyncio.gather(*traffic)
        watching.cancel()
    await watch.look()
    for target in targets.values():
        findings.samples += target.samples
        findings.lateness_ms += target.lateness_ms
        findings.guests_left.append(await _guests_left(target))
        target.client.close()
    findings.looks, findings.workers = watch.looks, watch.workers
    findings.killed_workers = faults.killed_workers
    findings.lost_connections = {
        name: faults.lost_connections[pool.port] for name, pool in _pools(stage).items()
    }
    findings.slow_clients, findings.hanging_plugin = faults.slow.outcomes, faults.hanging_outcomes
    return findings


def _pools(stage: Stage) -> dict[str, Pool]:
    return {CALM: stage.calm, FAULTY: stage.faulty}


def _targets(stage: Stage, load: Load) -> dict[str, Target]:
    bases = {MOCK: "/mock/soak", CALM: stage.calm.base, FAULTY: stage.faulty.base}
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    return {
        name: Target(
            name,
            base,
            Client(stage.service.address, headers, _TIMEOUT_SECONDS),
            seed=f"{load.seed} {name}",
            rate=load.rate / len(bases),
            max_in_flight=_MAX_IN_FLIGHT,
        )
        for name, base in bases.items()
    }


async def _exports(client: Client) -> list[str]:
    """Return paths of exports of the mock, from a world that gets no other traffic."""
    world = "/mock/exports"
    guests = (await client.send("GET", world + requests.LIST_PATH)).json
    stopped = [found["id"] for found in guests if found["state"] == "STOPPED"]
    return [f"{world}/guests/{guest}/export" for guest in stopped[:_EXPORTS]]


async def _guests_left(target: Target) -> GuestsLeft:
    """Hold the guests that there are against what the service has confirmed."""
    try:
        response = await target.client.send("GET", target.base + requests.LIST_PATH)
    except Unanswered as error:
        return GuestsLeft(target=target.name, lost=0, undeleted=0, unconfirmed=0, problem=str(error))
    if response.status != 200 or not target.state_is_known:
        problem = f"status {response.status}" if response.status != 200 else "restarted"
        return GuestsLeft(target=target.name, lost=0, undeleted=0, unconfirmed=0, problem=problem)
    found = {guest["id"] for guest in response.json if guest["name"].startswith(PREFIX)}
    known = target.guests
    return GuestsLeft(
        target=target.name,
        lost=len(known.existing - found),
        undeleted=len(known.deleted & found),
        unconfirmed=len(found - known.existing - known.deleting - known.deleted),
    )


def stop(service: Service, seen: set[psutil.Process]) -> Ending:
    """Stop the service as an operator would, and look at what stays.

    :param seen: processes of the service that may be there
    """
    had_died = service.process.poll() is not None
    workers = seen if had_died else seen | workers_of(psutil.Process(service.process.pid))
    begin_seconds, was_killed = time.monotonic(), False
    service.process.send_signal(signal.SIGTERM)
    try:
        service.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        was_killed = True
        service.process.kill()
        service.process.wait()
    stop_seconds = time.monotonic() - begin_seconds
    _, left = psutil.wait_procs(workers, timeout=_LEAVE_SECONDS)
    log = service.log
    return Ending(
        had_died=had_died,
        stop_seconds=stop_seconds,
        was_killed=was_killed,
        processes_left=sum(_is_running(process) for process in left),
        log_errors=log.count(" ERROR "),
        log_tracebacks=log.count("Traceback (most recent call last)"),
    )


def _is_running(process: psutil.Process) -> bool:
    """Tell whether a process has not ended: where nobody waits for orphans, they stay as zombies."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
