"""Files to .mar: TorchServe's layout and manifest, written so that the same files give the same bytes."""

import json
import os
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # the archiver does not close its version file
    from model_archiver.model_archiver_config import ModelArchiverConfig
    from model_archiver.model_packaging_utils import MANIFEST_FILE_NAME, MAR_INF, ModelExportUtils

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold


def write_manifest(folder: Path, model: str, version: str) -> None:
    """Write MAR-INF/MANIFEST.json for the files that lie in the folder."""
    config = ModelArchiverConfig(
        model_name=model,
        version=version,
        handler="plant_classifier.py",
        serialized_file="model.onnx",
        config_file="model-config.yaml",
    )
    manifest = json.loads(ModelExportUtils.generate_manifest_json(config))
    manifest["createdOn"] = "01/01/1980 00:00:00"
    (folder / MAR_INF).mkdir()
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / MAR_INF / MANIFEST_FILE_NAME).write_text(text, encoding="utf-8")


def write_archive(folder: Path, archive: Path) -> None:
    """Pack a folder: sorted names, fixed dates, no compression (weights do not shrink); whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=archive.parent, prefix=f".{archive.name}.")
    try:
        with os.fdopen(handle, "wb") as target:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    _add(packed, path, path.relative_to(folder).as_posix())
            target.flush()
            os.fsync(target.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(archive)
    finally:
        Path(name).unlink(missing_ok=True)


def _add(packed: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix, wherever it is built
    entry.external_attr = 0o100644 << 16
    entry.file_size = path.stat().st_size
    with path.open("rb") as content, packed.open(entry, "w") as target:
        shutil.copyfileobj(content, target, 1 << 20)
