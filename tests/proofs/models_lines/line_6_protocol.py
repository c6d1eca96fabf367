"""Line 6: a client that others wrote is served unchanged, and gets the answers that `POST /predict` gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.changing import Changing, changing
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, is_true, none_of
from tests.proofs.samples import samples
from tests.protocol import difference, image_input, infer, pixels_input, preprocessed, triton

FULL_ROUNDS = 50  # of all samples, in each of four ways
JSON_AT_ONCE = 3  # tensors; more have too many numbers for JSON
TOLERANCE = 1e-5
JPEG = {"Content-Type": "image/jpeg"}


@dataclass
class _Seen:
    """What came back in one way of asking."""

    answers: int = 0
    largest: float = 0.0
    faults: list[str] = field(default_factory=list)


def run(context: Context) -> list[Figure]:
    pictures = list(samples(context.root).values())
    with changing(context.root) as place, triton(place.stack.port) as client:
        right = [
            place.http.post("/predict?top_k=100", content=each, headers=JPEG).raise_for_status().json()
            for each in pictures
        ]
        figures = _described(client)
        for kind in ("image", "pixels"):
            for binary in (True, False):
                figures += _asked(context, place, client, pictures, right, kind=kind, binary=binary)
        return [*figures, _refused(context, client, pictures)]


def _described(client: InferenceServerClient) -> list[Figure]:
    model = client.get_model_metadata("plants")
    health = [client.is_server_live(), client.is_server_ready(), client.is_model_ready("plants")]
    named = [each["name"] for each in (*model["inputs"], *model["outputs"])]
    return [
        is_true("tritonclient: live, ready, model ready", all([*health, not client.is_model_ready("roses")])),
        is_true("tritonclient: server metadata", client.get_server_metadata()["name"] == "weedwatch"),
        is_true("tritonclient: model metadata", named == ["image", "pixels", "probabilities", "label", "request_id"]),
    ]


def _asked(
    context: Context,
    place: Changing,
    client: InferenceServerClient,
    pictures: list[bytes],
    right: list[dict[str, Any]],
    *,
    kind: str,
    binary: bool,
) -> list[Figure]:
    labels = client.get_model_metadata("plants")["parameters"]["labels"]
    count = len(pictures) if binary or kind == "image" else JSON_AT_ONCE
    tensor = preprocessed(pictures[:count], place.archive)
    seen = _Seen()
    for number in range(context.count(FULL_ROUNDS, at_least=3)):
        given = (
            image_input(pictures[:count], binary=binary, column=number % 2 == 1)
            if kind == "image"
            else pixels_input(tensor, binary=binary)
        )
        answers = infer(client, given, binary=binary, request_id=f"round-{number}")
        if answers.response.get("id") != f"round-{number}":
            seen.faults.append(f"the id came back as {answers.response.get('id')}")
        for row, expected in enumerate(right[:count]):
            seen.answers += 1
            seen.largest = max(seen.largest, difference(answers.probabilities[row], labels, expected["predictions"]))
            record = place.http.get(f"/history/{answers.request_ids[row]}")
            if answers.labels[row] != expected["label"]:
                seen.faults.append(f"{answers.labels[row]}, not {expected['label']}")
            if record.status_code != 200 or record.json()["label"] != answers.labels[row]:
                seen.faults.append(f"the record {answers.request_ids[row]} is {record.status_code}")
    name = f"{'pictures' if kind == 'image' else 'tensors'}, {'binary' if binary else 'JSON'}"
    context.say(f"{name}: {seen.answers} answers, largest difference {seen.largest:.2g}.")
    return [
        none_of(f"{name}: wrong label, id or record", seen.faults, seen.answers, context.say),
        at_most(f"{name}: largest difference of a probability from /predict", seen.largest, TOLERANCE),
    ]


def _refused(context: Context, client: InferenceServerClient, pictures: list[bytes]) -> Figure:
    """What cannot be served is told to the client in a sentence, with a status that says whose fault it is."""
    cases: dict[str, tuple[int, Callable[[], object]]] = {
        "no such model": (404, lambda: client.infer("roses", [image_input(pictures[:1], binary=True)])),
        "no picture": (400, lambda: client.infer("plants", [image_input([b"text"], binary=True)])),
        "a picture cut short": (
            400,
            lambda: client.infer("plants", [image_input([pictures[0], pictures[1][:400]], binary=True)]),
        ),
        "too many": (400, lambda: client.infer("plants", [image_input(pictures * 2, binary=True)])),
        "too late": (504, lambda: client.infer("plants", [image_input(pictures[:1], binary=True)], timeout=1)),
    }
    faults = []
    for name, (status, ask) in cases.items():
        try:
            ask()
            faults.append(f"{name}: answered")
        except InferenceServerException as error:
            if error.status() != str(status) or not str(error.message()).endswith("."):
                faults.append(f"{name}: {error}")
    return none_of("what cannot be served: no sentence, or another status", faults, len(cases), context.say)
