"""Where kept pictures lie: a folder, or whatever fsspec reaches (s3://, gs://, …). Bytes under names, no more."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import fsspec

BUCKET_SECONDS = 15.0
BUCKET_THREADS = 4  # a store that hangs must not take the threads that others need
# Where a client has limits of its own, they are below ours, so that its thread ends too.
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "config_kwargs": {"connect_timeout": 4, "read_timeout": 10, "retries": {"max_attempts": 2}},
        "use_listings_cache": False,
    },
    "gs": {"timeout": 10, "use_listings_cache": False},
}
T = TypeVar("T")


class StoreUnavailable(Exception):
    """It does not answer, or refuses; the cause is kept."""


class Store(Protocol):
    async def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, StoreUnavailable."""

    async def write(self, name: str, content: bytes) -> None:
        """Durably, and whole or not at all. Raises StoreUnavailable."""

    async def remove(self, name: str) -> None:
        """One that is not there is no error. Raises StoreUnavailable."""

    def file(self, name: str) -> Path | None:
        """Where it lies on this machine, if it does."""


def open_store(url: str | None, folder: Path) -> Store:
    """The store at `url`; the folder when there is none.

    Raises:
        ValueError: The URL cannot be used; the sentence says why.
    """
    if not url:
        return Folder(folder)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Folder(Path(unquote(parts.path)))
    if not parts.scheme:
        raise ValueError(
            "WEEDWATCH_PICTURES_URL must be a URL: s3://bucket/folder, gs://bucket/folder, file:///folder."
        )
    if parts.username or parts.password or parts.query:
        raise ValueError("WEEDWATCH_PICTURES_URL must hold no credential; the variables or files of the cloud do.")
    try:
        fsspec.get_filesystem_class(parts.scheme)
    except (ValueError, ImportError) as error:
        raise ValueError(f"WEEDWATCH_PICTURES_URL: {parts.scheme}:// cannot be used here: {error}") from error
    return Bucket(url)


class Folder:
    """On this machine's disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, name: str) -> bytes:
        return await _local(lambda: self.file(name).read_bytes())

    async def write(self, name: str, content: bytes) -> None:
        target = self.file(name)

        def work() -> None:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _write_durably(target, content)

        await _local(work)

    async def remove(self, name: str) -> None:
        await _local(lambda: self.file(name).unlink(missing_ok=True))

    def file(self, name: str) -> Path:
        return self._root / name


class Bucket:
    """Behind an fsspec URL; each call in a thread, with a deadline."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._threads = ThreadPoolExecutor(BUCKET_THREADS, thread_name_prefix="pictures")
        self._system: Any = None

    async def read(self, name: str) -> bytes:
        content: bytes = await self._call(lambda system, path: system.cat_file(path), name)
        return content

    async def write(self, name: str, content: bytes) -> None:
        await self._call(lambda system, path: system.pipe_file(path, content), name)

    async def remove(self, name: str) -> None:
        try:
            await self._call(lambda system, path: system.rm_file(path), name)
        except FileNotFoundError:
            return

    def file(self, name: str) -> None:  # noqa: ARG002 - as the protocol says
        return None

    async def _call(self, work: Callable[[Any, str], T], name: str) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, name)
        try:
            async with asyncio.timeout(BUCKET_SECONDS):
                return await future
        except FileNotFoundError:
            raise
        except Exception as error:  # each client has errors of its own
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    def _run(self, work: Callable[[Any, str], T], name: str) -> T:
        if self._system is None:
            scheme = urlsplit(self._url).scheme
            self._system, _ = fsspec.core.url_to_fs(self._url, skip_instance_cache=True, **OPTIONS.get(scheme, {}))
        return work(self._system, f"{self._url}/{name}")


async def _local(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


def _write_durably(target: Path, content: bytes) -> None:
    """Under its name only when all of it is on the disk."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
