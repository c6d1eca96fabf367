"""Line 2: whatever is hurt, errors are documented and in time, and all comes back without a hand."""

from tests.proofs.core_lines import clock_moved, endings, sick_handler, starved, workers_hurt
from tests.proofs.core_lines.arena import Case, arena, run_cases
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record

CASES: dict[str, Case] = {
    "F12": workers_hurt.workers,
    "F13": workers_hurt.torchserve,
    "F14": sick_handler.run,
    "F20": endings.run,
    "F21": starved.open_files,
    "F23": clock_moved.run,
    "F24": starved.processor,
}


def run(context: Context) -> list[Figure]:
    store = context.folder / "store"
    sick_handler.prepare_store(context.root, store)
    with arena(context, WEEDWATCH_MODEL_STORE=str(store)) as place:
        peak = for_the_record("G, peak of good answers a second", f"{place.peak:.0f}")
        return [peak, *run_cases(place, CASES)]
