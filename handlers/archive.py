"""`python -m handlers.archive`: make sure that a model's archive is there and current.

The last line on standard output is `current: PATH` or `built: PATH`; sentences about an unusable source go to
standard error, with exit status 1; with 3 where nobody said which source and there is neither one nor an archive.
"""

import argparse
import importlib.util
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from handlers.errors import SourceError
from handlers.source import MODEL_STORE, ModelSource, built_archive, find_source, is_current

NO_SOURCE = 3


def ensure_archive(source: ModelSource, output: Path = MODEL_STORE) -> tuple[str, Path]:
    """Build the archive unless it is current.

    Returns:
        "current" or "built", and the archive's path.

    Raises:
        SourceError: The source cannot be served; the message says what to change.
    """
    archive = output / source.archive_name
    if is_current(source, archive):
        return "current", archive
    if importlib.util.find_spec("torchvision") is None:
        raise SourceError("There is no torchvision here, which reads model.pth. Build the archive where there is.")
    print(f"Building {archive.name} from {source.checkpoint} …", flush=True)
    from handlers.build import build_archive  # noqa: PLC0415 - torch takes seconds; a current archive needs none

    build_archive(source, archive, lambda sentence: print(f"  {sentence}", flush=True))
    return "built", archive


def main(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    options = _parser(environment).parse_args(arguments)
    try:
        source = find_source(
            options.model,
            options.model_version,
            checkpoint=options.model_path,
            labels=options.labels_path,
            architecture=options.architecture,
            store=options.output if (options.output / "sources").is_dir() else MODEL_STORE,
        )
        # An archive that was built from elsewhere, or brought along, serves without a source.
        brought = (
            None
            if source.checkpoint.exists() or options.model_path
            else built_archive(options.model, options.model_version, options.output)
        )
        if brought is None and not source.checkpoint.exists() and not options.model_path:
            print(
                f"There is neither an archive of the model '{options.model}' in {options.output} nor a source of one "
                f"({source.checkpoint}). Put model.pth and class_labels.json there, or name them in MODEL_PATH.",
                file=sys.stderr,
            )
            return NO_SOURCE
        how, archive = ("current", brought) if brought else ensure_archive(source, options.output)
    except SourceError as error:
        print(f"The archive was not built. {error}", file=sys.stderr)
        return 1
    print(f"{how}: {archive}")
    return 0


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    def path(variable: str) -> Path | None:
        return Path(value) if (value := environment.get(variable)) else None

    parser = argparse.ArgumentParser(prog="python -m handlers.archive", description="Build a model archive.")
    parser.add_argument("--model", default=environment.get("MODEL") or "plants", help="name (MODEL)")
    parser.add_argument("--model-version", default=environment.get("VERSION") or None, help="version (VERSION)")
    parser.add_argument("--model-path", type=Path, default=path("MODEL_PATH"), help="checkpoint (MODEL_PATH)")
    parser.add_argument("--labels-path", type=Path, default=path("LABELS_PATH"), help="labels (LABELS_PATH)")
    parser.add_argument("--architecture", default=environment.get("MODEL_ARCHITECTURE") or None)
    parser.add_argument("--output", type=Path, default=path("WEEDWATCH_MODEL_STORE") or MODEL_STORE, help="model store")
    return parser


if __name__ == "__main__":
    # A build that is told to stop unwinds, so that its temporary files go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
