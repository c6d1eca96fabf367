"""Line 5, second half: a network of another family and input size, packaged as documented, served by `make run`."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from handlers.preprocessing import InputSpec, preprocess
from tests.proofs.harness import Context
from tests.proofs.ledger import best_label
from tests.proofs.results import Figure, at_least, for_the_record, none_of
from tests.proofs.spine_lines.line_5_agreement import SEED, built_archive
from tests.proofs.stack import Stack, clone, running
from tests.proofs.wire import get, predict
from training.dataset import load
from training.recipe import Recipe
from training.synthetic import write_picture
from training.train import fit, make_deterministic, new_network, save_checkpoint

NAME = "other"
ARCHITECTURE = "shufflenet_v2_x0_5"
SPEC = InputSpec(height=160, width=160, resize=184)
RECIPE = Recipe(stages=((96, 16), (160, 2)), batch_size=15)
CHOSEN = ("Pontederia crassipes", "Heracleum mantegazzianum", "not_a_target")
PICTURES_PER_CLASS = 30
ASKED = 20


def other_network(context: Context) -> list[Figure]:
    root = clone(context.root, context.folder / "clone")
    started = time.monotonic()
    network, labels = _train(context.folder / "data", root / "model_store" / "sources" / NAME / "1")
    seconds = time.monotonic() - started
    built_archive(root, "--model", NAME)
    pictures = _asked(context.folder / "asked.jpg")
    offline = [labels[_best(network, data)] for _, data in pictures]
    stack = Stack(root, context.folder, environment={"WEEDWATCH_MODEL": NAME})
    with running(stack):
        answers = [predict(stack.port, data) for _, data in pictures]
        served_name = get(stack.port, "/info").body["models"][0]["name"]
    online = [best_label(answer) for answer in answers]
    truth = [label for label, _ in pictures]
    differing = [f"offline {a}, served {b}" for a, b in zip(offline, online, strict=True) if a != b]
    return [
        for_the_record(f"drawing for and training {ARCHITECTURE} at {SPEC.height} px", f"{seconds:.0f} s"),
        none_of("other network: served labels that differ from offline", differing, ASKED, context.say),
        at_least("other network: right answers", _right(online, truth), _right(offline, truth), f"of {ASKED}"),
        for_the_record("the model that /info names", served_name),
    ]


def _train(data: Path, source: Path) -> tuple[torch.nn.Module, Sequence[str]]:
    """A minute of training on drawn pictures; what it learns is little, but must be served exactly."""
    for number in range(PICTURES_PER_CLASS * len(CHOSEN)):
        label = CHOSEN[number % len(CHOSEN)]
        (data / label).mkdir(parents=True, exist_ok=True)
        write_picture(data / label / f"{number}.jpg", label, number, SEED)
    make_deterministic(RECIPE.seed)
    torch.set_num_threads(1)
    dataset = load(data, SPEC.resize, SPEC.resize, SPEC.resize)
    network = new_network(ARCHITECTURE, len(dataset.labels))
    fit(network, dataset, RECIPE, SPEC)
    save_checkpoint(network, ARCHITECTURE, dataset.labels, SPEC, source)
    return network.eval(), dataset.labels


def _asked(path: Path) -> list[tuple[str, bytes]]:
    pictures = []
    for number in range(ASKED):
        label = CHOSEN[number % len(CHOSEN)]
        write_picture(path, label, number, SEED + 2)
        pictures.append((label, path.read_bytes()))
    return pictures


def _best(network: torch.nn.Module, data: bytes) -> int:
    with torch.inference_mode():
        return int(network(torch.from_numpy(preprocess(data, SPEC)[None])).argmax())


def _right(answers: Sequence[str], truth: Sequence[str]) -> int:
    return sum(answer == label for answer, label in zip(answers, truth, strict=True))
