"""Where backups lie: a folder or whatever fsspec reaches. Files under names, each whole or not there."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import fsspec

from backup.errors import Refusal
from control_plane.photos.stores import OPTIONS

BLOCK_BYTES = 2**20
REMOVED_AT_ONCE = 500
PART = ".part-"


class Destination:
    """At a URL, or a folder. Its names are paths with `/`.

    Raises:
        Refusal: In every method: the place does not answer, or refuses. In the constructor: it cannot be one.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query:
            raise Refusal("The place for backups must hold no credential; the variables or files of the cloud do.")
        self.url = url.rstrip("/")
        self._folder: Path | None = None
        if parts.scheme in {"", "file"}:
            self._folder = Path(unquote(parts.path) if parts.scheme else url).absolute()
            return
        try:
            self._system, root = fsspec.core.url_to_fs(
                self.url, skip_instance_cache=True, **OPTIONS.get(parts.scheme, {})
            )
        except (ValueError, ImportError) as error:
            raise Refusal(f"Backups cannot lie at {parts.scheme}:// here: {error}") from None
        self._root = str(root).rstrip("/")

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file to write into; it is there under its name when the block has ended well."""
        if self._folder is not None:
            with self._local(), _durably(self._folder / name) as file:
                yield file
            return
        path = f"{self._root}/{name}"
        with self._asked():
            file = self._system.open(path, "wb")
        try:
            yield file
        except BaseException:
            file.discard() if hasattr(file, "discard") else None  # a multipart upload that is never completed
            file.closed = True
            raise
        with self._asked():
            file.close()

    def put(self, name: str, content: bytes) -> None:
        if self._folder is not None:
            with self.writing(name) as file:
                file.write(content)
            return
        with self._asked():
            self._system.pipe_file(f"{self._root}/{name}", content)

    def open(self, name: str) -> BinaryIO:
        """To read. Raises FileNotFoundError."""
        if self._folder is not None:
            with self._local():
                return (self._folder / name).open("rb")
        with self._asked():
            return cast("BinaryIO", self._system.open(f"{self._root}/{name}", "rb"))

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        if self._folder is not None:
            with self._local():
                return (self._folder / name).read_bytes()
        with self._asked():
            return cast("bytes", self._system.cat_file(f"{self._root}/{name}"))

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Bytes of all files below a folder, by name; none when there is no such folder."""
        if self._folder is not None:
            with self._local():
                return dict(_sizes(self._folder, self._folder / folder))
        with self._asked():
            below = f"{self._root}/{folder}".rstrip("/")
            found: dict[str, Any] = self._system.find(below, detail=True) if self._system.exists(below) else {}
        return {path[len(self._root) + 1 :]: int(each["size"]) for path, each in found.items()}

    def folders(self) -> list[str]:
        """Names of the folders at the top."""
        if self._folder is not None:
            with self._local():
                return [each.name for each in self._folder.iterdir() if each.is_dir()] if self._folder.is_dir() else []
        with self._asked():
            listed = self._system.ls(self._root, detail=True) if self._system.exists(self._root) else []
        return [str(each["name"]).rstrip("/").rsplit("/", 1)[-1] for each in listed if each["type"] == "directory"]

    def remove(self, names: Iterable[str]) -> None:
        """Those that are not there are no error."""
        listed = list(names)
        if self._folder is not None:
            with self._local():
                for name in listed:
                    _remove(self._folder, name)
            return
        with self._asked():
            for start in range(0, len(listed), REMOVED_AT_ONCE):
                part = listed[start : start + REMOVED_AT_ONCE]
                try:
                    self._system.rm([f"{self._root}/{name}" for name in part])
                except FileNotFoundError:
                    continue

    @contextmanager
    def _local(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refusal(f"The place for backups, {self.url}, cannot be used: {error}.") from error

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # each client has errors of its own
            said = str(error) or type(error).__name__
            raise Refusal(f"The place for backups, {self.url}, cannot be used: {said}.") from error


def copy(source: BinaryIO, target: BinaryIO) -> None:
    shutil.copyfileobj(source, target, BLOCK_BYTES)


@contextmanager
def _durably(target: Path) -> Iterator[BinaryIO]:
    """Under its name only when all of it is on the disk; readable by its owner alone."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sizes(root: Path, folder: Path) -> Iterator[tuple[str, int]]:
    for each in folder.rglob("*"):
        if each.is_file():
            yield each.relative_to(root).as_posix(), each.stat().st_size


def _remove(root: Path, name: str) -> None:
    """And the folders that are empty then."""
    file = root / name
    file.unlink(missing_ok=True)
    parent = file.parent
    while parent != root and parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent
