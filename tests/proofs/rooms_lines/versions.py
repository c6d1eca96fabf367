"""What the Models room has to show: a version that confuses two plants, a good one, one that cannot be loaded."""

from pathlib import Path

import httpx2

from tests.changing import MODEL, Changing
from tests.proofs.core_lines.arena import Arena
from tests.proofs.rooms_lines.states import Scene
from tests.versions import exchanged


def add_versions(place: Arena, scene: Scene, store: Path) -> None:
    """2 is evaluated against a golden set, 3 waits, 4 has been tried."""
    source = store / "sources" / "plants" / "1"
    source.mkdir(parents=True)
    (source / "golden.json").write_text('{"generator": "drawn plants", "seed": 5, "per_class": 2}')
    with httpx2.Client(base_url=f"http://127.0.0.1:{place.stack.port}", timeout=60) as http:
        models = Changing(place.stack, store, http)
        scene.token = models.token
        models.add("2", exchanged("Lantana camara", "Heracleum mantegazzianum"))
        models.add("3")
        models.add("4", model__onnx=lambda content: content[:1000])
        begun = http.post(f"{MODEL}/versions/2/evaluate", headers=models.admin)
        evaluated = models.ended(begun.headers["location"])
        tried = models.change({"stable": "1", "canary": "4", "canary_percent": 1})
    if (evaluated["state"], tried["state"]) != ("done", "failed"):
        raise RuntimeError(f"The versions are not as wanted: {evaluated}, {tried}.")
