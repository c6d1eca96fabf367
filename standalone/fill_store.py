"""`python -m standalone.fill_store SOURCES STORE`: puts a model's archive into the store that TorchServe reads.

The one-shot `archives` of the stack: SOURCES is the repository's model_store, STORE the volume. An archive that was
built from these sources by this code is copied; without one it is built here, where torchvision is there. An archive
whose source is not known is copied as it is. What lies in the store already and is current stays.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from handlers.errors import SourceError
from handlers.source import BUILD_FILE, ModelSource, built_archive, content_inputs, find_source


class NothingToServe(Exception):
    """There is no archive and none can be made here; the text says what to do."""


def fill(sources: Path, store: Path, model: str, version: str | None = None) -> str:
    """Say in one sentence what was done.

    Raises:
        NothingToServe: Neither an archive nor a way to build one.
        SourceError: The source cannot be read.
    """
    source = find_source(model, version, store=sources)
    if not source.checkpoint.exists():
        return _bring(sources, store, model, version)
    _bring_along(source, store)
    target = store / source.archive_name
    if is_of(source, target):
        return f"current: {target}"
    built = sources / source.archive_name
    if is_of(source, built):
        return f"copied: {_copy(built, target)}"
    if importlib.util.find_spec("torchvision") is not None:
        return _build(source, store)
    raise NothingToServe(
        f"The model '{model}' has no current archive in {sources}, and this image cannot build one: it has no "
        "torchvision. Run `make archive` on the host, then start again."
    )


def is_of(source: ModelSource, archive: Path) -> bool:
    """Whether the archive is whole and holds exactly this source and code, whichever packages it was built with."""
    try:
        with zipfile.ZipFile(archive) as packed:
            built = json.loads(packed.read(BUILD_FILE))
            wanted = content_inputs(source)
            return {key: built.get(key) for key in wanted} == wanted and packed.testzip() is None
    except (OSError, KeyError, ValueError, AttributeError, zipfile.BadZipFile):
        return False


def _bring(sources: Path, store: Path, model: str, version: str | None) -> str:
    brought = built_archive(model, version, sources)
    if brought is not None:
        return f"copied: {_copy(brought, store / brought.name)}"
    there = built_archive(model, version, store)
    if there is not None:
        return f"current: {there}"
    raise NothingToServe(
        f"There is neither a source nor an archive of the model '{model}' in {sources}. Put model.pth and "
        f"class_labels.json into sources/{model}/1 there, or an archive beside them."
    )


def _bring_along(source: ModelSource, store: Path) -> None:
    """The golden set and the policy, which the control plane reads beside a version's source; not the checkpoint."""
    folder = source.checkpoint.parent
    there = store / "sources" / source.name / source.version
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns(source.checkpoint.name), dirs_exist_ok=True)


def _copy(source: Path, target: Path) -> Path:
    """Whole or not at all: TorchServe may look at any moment."""
    half = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, half)
    half.replace(target)
    return target


def _build(source: ModelSource, store: Path) -> str:
    command = [sys.executable, "-m", "handlers.archive", "--model", source.name, "--model-version", source.version]
    command += ["--model-path", str(source.checkpoint), "--output", str(store)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise NothingToServe(f"The archive of the model '{source.name}' was not built; the reason stands above.")
    return done.stdout.strip().splitlines()[-1]


def main(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(prog="python -m standalone.fill_store", description="Fill the model store.")
    parser.add_argument("sources", type=Path, help="the repository's model_store")
    parser.add_argument("store", type=Path, help="the folder that TorchServe reads")
    model = environment.get("WEEDWATCH_MODEL") or environment.get("MODEL") or "plants"
    parser.add_argument("--model", default=model, help="(WEEDWATCH_MODEL)")
    parser.add_argument("--model-version", default=environment.get("VERSION") or None, help="(VERSION)")
    options = parser.parse_args(arguments)
    try:
        print(fill(options.sources, options.store, options.model, options.model_version))
    except (NothingToServe, SourceError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
