"""Line 6: answers that are given again: how much faster, and never those of another model."""

import hashlib
import time
from pathlib import Path

from benchmarks.closed_loop import Measured, ask_for
from benchmarks.contestants.contestant import request_bytes
from benchmarks.pictures import write_all
from tests.changing import Changing, changing
from tests.load import asking
from tests.proofs.harness import Context
from tests.proofs.models_lines.line_1_swaps import is_live
from tests.proofs.results import Figure, at_least, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.versions import exchanged
from tests.waiting import wait_until

KEPT = 10_000  # as in compose.yaml
ROUNDS = 3
CLIENTS = 8
BLOCK_SECONDS = 6.0
FIRST_SECONDS = 6.0  # Java translates what is used often
TIMES_FASTER = {"photo": 5.0, "small": 2.5}
WITHOUT = "Cache-Control: no-store"

FULL_SWAPS = 20
SWAP_CLIENTS = 4
SETTLED_SECONDS = 3.0  # after which no replica may go by the old rollout
GONE_SECONDS = 60.0
EXCHANGED = ("Reynoutria japonica", "Lantana camara")


def run(context: Context) -> list[Figure]:
    pictures = write_all(context.folder)
    with changing(context.root, WEEDWATCH_ANSWER_CACHE=str(KEPT)) as place:
        faster = [
            figure
            for kind, least in TIMES_FASTER.items()
            for figure in _faster(context, place, kind, least, pictures[kind])
        ]
        place.add("2", exchanged(*EXCHANGED))
        return [*faster, *_swaps(context, place)]


def _faster(context: Context, place: Changing, kind: str, least: float, picture: Path) -> list[Figure]:
    """The same picture again and again, with the cache and without, block by block in turns."""
    requests = {}
    for name, header in (("with", ""), ("without", f"\r\n{WITHOUT}")):
        requests[name] = context.folder / f"{kind}-{name}.http"
        requests[name].write_bytes(request_bytes("/predict", f"image/jpeg{header}", picture.read_bytes()))

    def measure(name: str, seconds: float = BLOCK_SECONDS) -> Measured:
        port = place.stack.port
        return ask_for(port=port, request=requests[name], clients=CLIENTS, warm_up=seconds / 10, seconds=seconds)

    measure("without", FIRST_SECONDS)
    blocks: list[Measured] = []
    ratios: list[float] = []
    for number in range(ROUNDS):
        order = ("without", "with") if number % 2 == 0 else ("with", "without")
        seen = {name: measure(name) for name in order}
        blocks += seen.values()
        ratios.append(seen["with"].throughput / seen["without"].throughput)
        context.say(
            f"{kind}, round {number + 1}: {seen['with'].throughput:.0f} a second with the cache, "
            f"{seen['without'].throughput:.0f} without: {ratios[-1]:.1f} times."
        )
    failed = [f"{many} × status {status}" for block in blocks for status, many in block.failures.items()]
    all_of_them = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    return [
        at_least(f"{kind}: throughput with the cache ÷ without, best of {ROUNDS} rounds", max(ratios), least),
        for_the_record(f"{kind}: all rounds, {CLIENTS} clients", all_of_them),
        none_of(f"{kind}: requests that failed", failed, sum(len(block.latencies) for block in blocks), context.say),
    ]


def _swaps(context: Context, place: Changing) -> list[Figure]:
    """Versions that name two pictures otherwise take turns, under load that is nearly all hits."""
    pictures = {label: picture for label, picture in samples(context.root).items() if label in EXCHANGED}
    swaps = context.count(FULL_SWAPS, at_least=4)
    live: list[tuple[float, float, str]] = []  # from when to when an answer must be of this version
    failed: list[str] = []
    before, since = _hits(place), time.monotonic()
    with asking([place.stack.port], list(pictures.values()), clients=SWAP_CLIENTS, own=False) as log:
        for number in range(swaps):
            old, new = ("1", "2") if number % 2 == 0 else ("2", "1")
            live.append((since, time.monotonic(), old))
            ended = place.change({"stable": new})
            since = time.monotonic() + SETTLED_SECONDS
            gone = wait_until(lambda old=old: old not in place.registered(), GONE_SECONDS, 0.1)  # type: ignore[misc]
            if ended["state"] != "done" or gone is None:
                failed.append(f"swap {number + 1}: {ended['state']} {ended['message']}, {place.registered()}")
            time.sleep(max(0.0, since + 1 - time.monotonic()))
        live.append((since, time.monotonic(), place.stable))
    answers = log.ok()
    hits = _hits(place) - before
    said = {
        (hashlib.sha256(picture).hexdigest(), version): _label(label, version)
        for label, picture in pictures.items()
        for version in "12"
    }
    bad = [f"{each.status} {each.code}" for each in log.all() if each.status != 200]
    false = [
        f"{each.label} by version {each.version}" for each in answers if each.label != said[each.picture, each.version]
    ]
    late = [f"version {each.version} at {each.ended_at:.1f}" for each in answers if not is_live(each, live)]
    return [
        none_of("swaps that did not come through", failed, swaps, context.say),
        none_of("answers of another model than the one that they name", false, len(answers), context.say),
        none_of("answers of the old model after the switch", late, len(answers), context.say),
        none_of("requests that failed during the swaps", bad, len(log.all()), context.say),
        is_true("nearly all were hits", hits > 0.9 * len(answers), f"{hits:.0f} of {len(answers)}"),
    ]


def _hits(place: Changing) -> float:
    return place.metric("weedwatch_answer_cache_total", outcome="hit")


def _label(label: str, version: str) -> str:
    """What a version calls the picture that version 1 calls so."""
    return label if version == "1" else EXCHANGED[1 - EXCHANGED.index(label)]
