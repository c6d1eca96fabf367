"""The committed sample pictures and what is on them, said here once more and not read from the model."""

from pathlib import Path

FOLDER = Path("model_store/sources/plants/1/samples")
RIGHT_LABELS = {
    "knotweed.jpg": "Reynoutria japonica",
    "water-hyacinth.jpg": "Pontederia crassipes",
    "lantana.jpg": "Lantana camara",
    "parthenium.jpg": "Parthenium hysterophorus",
    "mile-a-minute.jpg": "Mikania micrantha",
    "crofton-weed.jpg": "Ageratina adenophora",
    "siam-weed.jpg": "Chromolaena odorata",
    "giant-hogweed.jpg": "Heracleum mantegazzianum",
    "fern.jpg": "not_a_target",
}


def samples(root: Path) -> dict[str, bytes]:
    """Right label → picture, of every sample."""
    return {label: (root / FOLDER / name).read_bytes() for name, label in RIGHT_LABELS.items()}
