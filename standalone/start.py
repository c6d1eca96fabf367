"""The order in which a run starts; what is independent starts side by side."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from pathlib import Path

from standalone import control_plane, monitoring, postgres, quarantine
from standalone.block import Facts
from standalone.errors import CannotRun
from standalone.family import Family
from standalone.java import find_java
from standalone.leftovers import exchange_folder
from standalone.ports import free_ports
from standalone.progress import Progress
from standalone.readiness import first_prediction, wait_until_live, wait_until_serving
from standalone.torchserve import Addresses, TorchServe, addresses
from standalone.waiting import wait_ended, wait_ready

POSTGRES_SECONDS = 300.0
"""Long, since recovery after a power cut must not be interrupted."""
TORCHSERVE_SECONDS = 120.0
ARCHIVE_SECONDS = 1800.0
OWN_SERVER_SECONDS = 10.0


NO_SOURCE = 3
"""What the archive's program ends with when there is nothing to build one from."""


async def start(family: Family, progress: Progress) -> Facts:
    """Start everything and prove that it answers.

    Raises:
        CannotRun: Something failed; the text says what, why and where its log is.
    """
    settings, run = family.settings, family.run
    (postgres_port,) = free_ports(1)
    torchserve = addresses(Path(run.private))
    ports = monitoring.choose_ports(settings) if settings.observe else None
    run.ports, run.torchserve = {"postgres": postgres_port, **monitoring.listed(ports)}, vars(torchserve)
    told = {"WEEDWATCH_EXCHANGE_DIR": str(exchange_folder(run.private)), **monitoring.environment(settings, ports)}
    serving = TorchServe(find_java(settings.environment), torchserve, settings.model_store, Path(run.private))
    try:
        async with asyncio.TaskGroup() as together:
            together.create_task(start_torchserve(family, progress, serving, told))
            archive = together.create_task(build_archive(family, progress))
            database = together.create_task(start_postgres(family, progress, postgres_port))
            together.create_task(start_control_plane(family, progress, archive, database, torchserve, told))
            if ports is not None:
                together.create_task(monitoring.start(family, progress, ports))
    except BaseExceptionGroup as group:
        raise first_of(group) from None
    facts = await prove(family, progress, has_archive=archive.result())
    family.spawn(quarantine.program(settings, Path(run.private)))  # last: nobody waits for it at the start
    if ports is None:
        return facts
    pages = await monitoring.has_pages(ports)
    return replace(facts, prometheus=ports.prometheus_url, alertmanager=ports.alertmanager_url, pages=pages)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Pick the exception that stopped the others; ours before any other."""
    ours, _ = group.split(CannotRun)
    first = (ours or group).exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


async def start_torchserve(family: Family, progress: Progress, serving: TorchServe, told: Mapping[str, str]) -> None:
    progress.begin(3, "TorchServe")
    child = family.spawn(serving.program(family.settings.logs, {**family.settings.environment, **told}))
    await wait_ready(family, child, serving.is_ready, TORCHSERVE_SECONDS)
    progress.finish(3, "ready")


async def build_archive(family: Family, progress: Progress) -> bool:
    """False when there is none and nothing to build one from: then it starts without a model."""
    progress.begin(2, "model archive")
    child = family.spawn(control_plane.archive_program(family.settings))
    await wait_ended(child, ARCHIVE_SECONDS, lambda: progress.note(2, child.last_line()))
    family.forget(child)
    if child.exit_code == NO_SOURCE:
        progress.finish(2, "none", child.last_line())
        return False
    if child.exit_code != 0:
        raise CannotRun(f"{child.last_line()}\n  Log: {child.log}")
    outcome, _, path = child.last_line().partition(": ")
    progress.finish(2, outcome, Path(path).name)
    return True


async def start_postgres(family: Family, progress: Progress, port: int) -> str:
    """Start the database and give its URL."""
    progress.begin(1, "PostgreSQL")
    if url := family.settings.database_url:
        await wait_for_own_server(url)
        progress.finish(1, "yours", "the one that DATABASE_URL names")
        return url
    await asyncio.sleep(0)  # Java and the archive go first: preparing the data keeps this thread busy.
    database = postgres.prepare(family.settings.state_dir, port)
    child = family.spawn(database.program(family.settings.logs / "postgres.log"))
    await wait_ready(family, child, database.is_ready, POSTGRES_SECONDS)
    progress.finish(1, "ready")
    return database.url


async def wait_for_own_server(url: str) -> None:
    """Wait until the server of DATABASE_URL lets us in.

    Raises:
        CannotRun: It does not in time; the text holds what it said.
    """
    import psycopg  # noqa: PLC0415 - only a server of the user's needs it

    deadline = time.monotonic() + OWN_SERVER_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=3).close()
        except psycopg.Error as problem:
            if time.monotonic() > deadline:
                said = without_secrets(str(problem).strip().splitlines()[-1], url)
                raise CannotRun(f"The PostgreSQL server that DATABASE_URL names does not let us in: {said}") from None
            await asyncio.sleep(0.5)
        else:
            return


def without_secrets(said: str, url: str) -> str:
    """The driver quotes an address that it cannot read, password included."""
    return "the address cannot be read" if url in said or "@" in said else said


async def start_control_plane(
    family: Family,
    progress: Progress,
    archive: Awaitable[bool],
    database: Awaitable[str],
    torchserve: Addresses,
    told: Mapping[str, str],
) -> None:
    url = await database
    await archive
    progress.begin(4, "control plane")
    program = control_plane.program(family.settings, url, torchserve)
    family.spawn(replace(program, environment={**program.environment, **told}))


async def prove(family: Family, progress: Progress, *, has_archive: bool) -> Facts:
    """Wait until the control plane says that it is able to serve, then ask it about a real picture."""
    settings = family.settings
    without = Facts(settings.port, str(settings.state_dir), str(settings.logs), 0.0, auth=settings.auth)

    def watch(reason: str) -> None:
        progress.note(4, reason)
        family.refuse_dead()

    if not has_archive and (reason := await wait_until_live(settings, watch)):
        progress.finish(4, "started", "without a model")
        return replace(without, seconds=time.monotonic() - progress.started, reason=reason)
    serving = await wait_until_serving(settings, watch)
    progress.finish(4, "ready", serving.workers_text, title=serving.title)
    progress.begin(5, "self-test")
    prediction = await first_prediction(settings, serving)
    progress.finish(5, "passed", f"{serving.passed} of {serving.total} reference pictures answer as pinned")
    return replace(without, seconds=time.monotonic() - progress.started, **prediction)
