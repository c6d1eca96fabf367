"""The PostgreSQL of `make run`, for whoever names no other: the running one, or started alone for one command."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup.errors import Refusal

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300.0
END_SECONDS = 60.0
ADDRESS = "DATABASE_URL"


def read_env_file() -> None:
    """What `.env` says, as `make run` reads it; the environment wins."""
    if not (ROOT / ".env").is_file():
        return
    from standalone.errors import CannotRun  # noqa: PLC0415 - only beside `make run`
    from standalone.settings import read_env_file  # noqa: PLC0415

    try:
        found = read_env_file(ROOT / ".env")
    except CannotRun as problem:
        raise Refusal(str(problem)) from None
    for name, value in found.items():
        os.environ.setdefault(name, value)


@contextmanager
def named(*, alone: bool) -> Iterator[None]:
    """DATABASE_URL says where the embedded database is, unless another one is named.

    Args:
        alone: Nothing else may use it.

    Raises:
        Refusal: There is none, or it is in use.
    """
    if os.environ.get(ADDRESS) or os.environ.get(f"{ADDRESS}_FILE"):
        yield
        return
    state = ROOT / (os.environ.get("WEEDWATCH_STATE_DIR") or ".weedwatch")
    if not alone and not (state / "postgres").is_dir():
        raise Refusal("Say which database: set DATABASE_URL or DATABASE_URL_FILE, as for the control plane.")
    from standalone.runfile import take_lock  # noqa: PLC0415

    state.mkdir(parents=True, exist_ok=True)
    lock = take_lock(state)
    try:
        if lock is None and alone:
            raise Refusal("Weedwatch runs. Stop it first (make stop): a restore needs the database for itself.")
        os.environ.pop(f"{ADDRESS}_FILE", None)
        if lock is None:
            os.environ[ADDRESS] = _of_the_run(state)
            yield
        else:
            with _started(state) as url:
                os.environ[ADDRESS] = url
                yield
    finally:
        os.environ.pop(ADDRESS, None)
        if lock is not None:
            os.close(lock)


def _of_the_run(state: Path) -> str:
    from standalone import postgres, runfile  # noqa: PLC0415

    run = runfile.read_run(state)
    try:
        password = (state / "postgres" / "password").read_text().strip()
    except OSError as error:
        raise Refusal(f"The password of the embedded PostgreSQL cannot be read ({error.strerror}).") from None
    if run is None or "postgres" not in run.ports:
        raise Refusal("Weedwatch is just starting or stopping. Try again in a minute.")
    return f"postgresql://{postgres.ROLE}:{password}@127.0.0.1:{run.ports['postgres']}/{postgres.DATABASE}"


@contextmanager
def _started(state: Path) -> Iterator[str]:
    from standalone import postgres  # noqa: PLC0415
    from standalone.child import Child  # noqa: PLC0415
    from standalone.errors import CannotRun  # noqa: PLC0415
    from standalone.ports import free_ports  # noqa: PLC0415

    (state / "logs").mkdir(exist_ok=True)
    try:
        prepared = postgres.prepare(state, free_ports(1)[0])
    except CannotRun as problem:
        raise Refusal(str(problem)) from None
    program = prepared.program(state / "logs" / "postgres.log")
    child = Child(program)

    async def until_ready() -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await prepared.is_ready():
                if child.exit_code is not None:
                    raise Refusal(f"PostgreSQL did not start: {child.cause()}")
                await asyncio.sleep(0.05)

    try:
        asyncio.run(until_ready())
        yield prepared.url
    finally:
        if child.exit_code is None:
            child.process.send_signal(program.stop_signal)
        child.process.wait(END_SECONDS)
