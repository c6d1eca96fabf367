"""What is refused before anything is loaded, and the sentence that says why."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
from minisign import KeyPair

from handlers.source import HANDLERS, WORKER_MODULES
from quarantine.members import check_members
from quarantine.order import ARCHIVE, MODEL, SIGNATURE, Order, Refused, put
from quarantine.pickles import check_pickles
from quarantine.static import check
from tests.hostile.versions import RunsACommand, as_version, hostile, pack, signature_of


def order(version: str = "1", **changes: object) -> Order:
    values = {
        "model": "plants", "version": version, "kind": "archive", "architecture": None, "max_bytes": 2**30,
        "seconds": 60.0, "signing_key": None, "allowed_code": (), "allow_network": False,
    }  # fmt: skip
    return Order(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def members() -> dict[str, bytes]:
    model = {
        "modelName": "plants", "modelVersion": "1", "handler": "plant_classifier.py", "serializedFile": "model.onnx",
        "configFile": "model-config.yaml",
    }  # fmt: skip
    return {
        "MAR-INF/MANIFEST.json": json.dumps({"runtime": "python", "model": model}).encode(),
        **{name: (HANDLERS / name).read_bytes() for name in WORKER_MODULES},
        "model.onnx": b"weights",
        "class_labels.json": b'["a", "b"]',
        "model_card.json": b"{}",
        "reference-1.jpg": b"picture",
        "reference.json": b'[{"file": "reference-1.jpg", "label": "a", "confidence": 0.9}]',
        "model-config.yaml": b"batchSize: 1\n",
    }


@pytest.fixture
def archive(tmp_path: Path, members: dict[str, bytes]) -> Path:
    file = tmp_path / ARCHIVE
    file.write_bytes(pack(members))
    return file


def refusal(content: bytes, tmp_path: Path, asked: Order | None = None) -> str:
    file = tmp_path / ARCHIVE
    file.write_bytes(content)
    with pytest.raises(Refused) as refused:
        check_members(file, asked or order())
    return str(refused.value)


def test_a_good_archive_passes(archive: Path) -> None:
    check_members(archive, order())
    check_pickles(archive, 2**30)


def test_hostile_archives_are_refused_and_the_reason_is_said(archive: Path, tmp_path: Path) -> None:
    marker, keys = tmp_path / "marker", KeyPair.generate()
    cases = hostile(archive, marker)
    for case in cases:
        folder = tmp_path / case.version
        folder.mkdir()
        kind = "archive" if "archive" in case.files else "checkpoint"
        key = bytes(keys.public_key).decode()
        put(folder / "request.json", vars(order(case.version, kind=kind, signing_key=key)))
        content = case.files["archive" if kind == "archive" else "model"]
        (folder / (ARCHIVE if kind == "archive" else MODEL)).write_bytes(content)
        if case.signed != "none":
            signed = content if case.signed == "right" else content + b"x"
            (folder / SIGNATURE).write_bytes(signature_of(signed, keys))
        with pytest.raises(Refused, match=case.says):
            check(folder)
    assert len(cases) == 9
    assert not marker.exists()


def test_a_signature_of_another_key_does_not_fit(archive: Path) -> None:
    (archive.parent / SIGNATURE).write_bytes(signature_of(archive.read_bytes(), KeyPair.generate()))
    put(archive.parent / "request.json", vars(order(signing_key=bytes(KeyPair.generate().public_key).decode())))
    with pytest.raises(Refused, match="another key"):
        check(archive.parent)


@pytest.mark.parametrize("name", ["/etc/x.txt", "a/../../x.txt", "C:x.txt", "a\\x.txt"])
def test_a_member_stays_in_the_archive(members: dict[str, bytes], tmp_path: Path, name: str) -> None:
    assert "leads out" in refusal(pack(members | {name: b""}), tmp_path)


@pytest.mark.parametrize("name", ["evil.so", "evil.pyc", "evil.sh", "evil"])
def test_only_what_a_model_needs_may_be_in_it(members: dict[str, bytes], tmp_path: Path, name: str) -> None:
    assert "no place in a model archive" in refusal(pack(members | {name: b""}), tmp_path)


def test_a_member_is_there_once(members: dict[str, bytes], tmp_path: Path) -> None:
    assert "twice" in refusal(pack(members | {"MODEL.onnx": b"other"}), tmp_path)


def test_too_many_members_and_too_many_bytes(members: dict[str, bytes], tmp_path: Path) -> None:
    many = {f"{number}.txt": b"" for number in range(1001)}
    assert "at most 1000" in refusal(pack(members | many), tmp_path)
    assert "would unpack to" in refusal(pack(members), tmp_path, order(max_bytes=1000))


def test_a_helper_beside_the_handler_is_foreign_unless_it_is_allowed(members: dict[str, bytes], tmp_path: Path) -> None:
    content = pack(members | {"json.py": b"import os\n"})
    reason = refusal(content, tmp_path)
    digest = reason.split("SHA-256 ")[1][:64]
    check_members(tmp_path / ARCHIVE, order(allowed_code=(digest,)))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model-config.yaml", b"useVenv: true\n", "starts other programs"),
        ("class_labels.json", b"[]", "at least two"),
        ("reference.json", b'[{"file": "gone.jpg", "label": "a", "confidence": 1}]', "not there"),
        ("reference.json", b"{", "no JSON"),
        ("MAR-INF/MANIFEST.json", b"[]", "says nothing of a model"),
    ],
)
def test_what_it_says_of_itself_is_complete(
    members: dict[str, bytes], tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    assert says in refusal(pack(members | {name: content}), tmp_path)


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    assert "no zip archive" in refusal(bytes(1000), tmp_path)


def nested(content: bytes, name: str = "model/data.pkl") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_found_wherever_it_is(members: dict[str, bytes], tmp_path: Path, protocol: int) -> None:
    evil = pickle.dumps(RunsACommand(tmp_path / "marker"), protocol=protocol)
    for name, content in (
        ("model.pth", evil),
        ("model.pt", nested(evil)),
        ("model.pt2", nested(nested(evil), "model/data/sample_inputs/model.pt")),
    ):
        file = tmp_path / ARCHIVE
        file.write_bytes(pack(members | {name: content}))
        with pytest.raises(Refused, match=r"posix\.system"):
            check_pickles(file, 2**30)
    assert not (tmp_path / "marker").exists()


def test_an_exported_program_must_not_say_that_a_weight_is_a_pickle(tmp_path: Path) -> None:
    config = json.dumps({"config": {"w": {"path_name": "weight_0", "use_pickle": True}}}).encode()
    file = tmp_path / "model.pt2"
    file.write_bytes(nested(config, "model/data/weights/model_weights_config.json"))
    with pytest.raises(Refused, match="pickle"):
        check_pickles(file, 2**30)


def test_plain_pickles_pass(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    file.write_bytes(nested(pickle.dumps(OrderedDict(a=1), protocol=2)))
    check_pickles(file, 2**30)


def test_the_manifest_must_fit_what_was_asked_for(members: dict[str, bytes], tmp_path: Path) -> None:
    assert "modelVersion '2'; it must be '1'" in refusal(pack(as_version(members, "2")), tmp_path)
    assert "modelName" in refusal(pack(as_version(members, "1", modelName="roses")), tmp_path)
