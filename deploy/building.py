"""The images: which there are, how each is built, how large it is."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import CannotDeploy

SUMMARY = "build the images"
ROOT = Path(__file__).resolve().parent.parent
DOCKERFILES = "deploy/images"
ARGUMENTS = ("PYTHON_IMAGE", "UV_IMAGE", "NGINX_IMAGE", "GCS")
"""Build arguments that may be set in the environment: the images that ours begin with, and what they have more."""


@dataclass(frozen=True)
class Image:
    """One of ours: weedwatch/NAME."""

    name: str
    dockerfile: str
    target: str

    def reference(self, tag: str) -> str:
        return f"weedwatch/{self.name}:{tag}"


@dataclass(frozen=True)
class Torch:
    """Which build of PyTorch the image torchserve gets, and where from."""

    target: str
    sentence: str
    wheels: Path | None = None


IMAGES = (
    Image("control-plane", "control-plane.Dockerfile", "control-plane"),
    Image("backup", "control-plane.Dockerfile", "backup"),
    Image("torchserve", "torchserve.Dockerfile", "cpu"),
    Image("edge", "edge.Dockerfile", "edge"),
)
NAMES = tuple(image.name for image in IMAGES)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--tag", default=os.environ.get("WEEDWATCH_TAG") or "latest", help="(WEEDWATCH_TAG)")
    parser.add_argument("--torch", default=os.environ.get("TORCH") or None, help="cpu, cuda or wheels:FOLDER (TORCH)")
    parser.add_argument("--sizes", action="store_true", help="build nothing; print the sizes as a table")


def run(options: argparse.Namespace) -> int:
    if unknown := set(options.names) - set(NAMES):
        raise CannotDeploy(f"There is no image {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}.")
    chosen = [image for image in IMAGES if not options.names or image.name in options.names]
    if options.sizes:
        print(table({image.reference(options.tag): size(image.reference(options.tag)) for image in chosen}))
        return 0
    torch = which_torch(options.torch, os.environ)
    for image in chosen:
        reference = image.reference(options.tag)
        print(f"{reference}{': ' + torch.sentence if image.name == 'torchserve' else ''}", flush=True)
        docker(*build_command(image, options.tag, torch))
        print(f"{reference}: {size(reference) / 1e6:.0f} MB", flush=True)
    return 0


def which_torch(choice: str | None, environment: os._Environ[str] | dict[str, str]) -> Torch:
    """Read the choice; without one a folder of wheels that pip was told of, if it holds PyTorch for CPUs.

    Raises:
        CannotDeploy: It is no choice, or the folder holds no wheel of PyTorch.
    """
    if choice is None:
        folders = environment.get("UV_FIND_LINKS") or environment.get("PIP_FIND_LINKS") or ""
        found = [folder for folder in re.split(r"[\s,]+", folders) if folder and cpu_wheels(Path(folder))]
        choice = f"wheels:{found[0]}" if found else "cpu"
    if choice == "cpu":
        return Torch("cpu", "PyTorch for CPUs, from PyTorch's own index")
    if choice == "cuda":
        return Torch("cuda", "PyTorch with CUDA, from the package registry")
    if not choice.startswith("wheels:"):
        raise CannotDeploy(f"TORCH is {choice!r}. Write cpu, cuda, or wheels:FOLDER with wheels of PyTorch for CPUs.")
    folder = Path(choice[len("wheels:") :]).expanduser().resolve()
    wheels = cpu_wheels(folder)
    if not wheels:
        raise CannotDeploy(f"{folder} holds no wheel of PyTorch (torch-….whl). Name another folder, or TORCH=cpu.")
    return Torch("cpu", f"PyTorch for CPUs, from the folder of {', '.join(each.name for each in wheels)}", folder)


def cpu_wheels(folder: Path) -> list[Path]:
    return sorted(folder.glob("torch-*cpu*.whl")) + sorted(folder.glob("torchvision-*cpu*.whl"))


def build_command(image: Image, tag: str, torch: Torch) -> list[str]:
    """What `docker` is asked for."""
    own = {"VERSION": version(), "REVISION": revision(), "CREATED": created()}
    arguments = {**own, **{name: os.environ[name] for name in ARGUMENTS if os.environ.get(name)}}
    command = ["build", "--file", f"{DOCKERFILES}/{image.dockerfile}", "--tag", image.reference(tag)]
    for name, value in arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    command += ["--target", torch.target if image.name == "torchserve" else image.target]
    if image.name == "torchserve" and torch.wheels:
        command += ["--build-context", f"wheels={torch.wheels}"]
    return [*command, "."]


def version() -> str:
    found = re.search(r'^VERSION = "(.+)"$', (ROOT / "control_plane" / "version.py").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"


def revision() -> str:
    """The commit; `+` behind it when files differ from it."""
    commit = git("rev-parse", "HEAD")
    return commit + ("+" if commit and git("status", "--porcelain", "--untracked-files=no") else "")


def created() -> str:
    """When the commit was made, so that building it again gives the same image."""
    return git("log", "-1", "--format=%cI")


def git(*arguments: str) -> str:
    """Empty where there is no git or no repository: labels are worth no failure."""
    try:
        done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def docker(*arguments: str) -> None:
    """Run a docker command in the repository's root, with its own output.

    Raises:
        CannotDeploy: There is no docker, or the command failed.
    """
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    try:
        done = subprocess.run(("docker", *arguments), cwd=ROOT, env=environment, check=False)
    except FileNotFoundError:
        raise CannotDeploy("There is no docker on PATH. Install Docker Engine with buildx.") from None
    if done.returncode != 0:
        raise CannotDeploy(f"`docker {' '.join(arguments[:3])} …` ended with code {done.returncode}.")


def size(reference: str) -> int:
    """Bytes of all layers, unpacked.

    Raises:
        CannotDeploy: There is no such image.
    """
    command = ("docker", "image", "inspect", "--format", "{{.Size}}", reference)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise CannotDeploy(f"There is no image {reference}. Build it with `make images`.")
    return int(done.stdout)


def table(sizes: dict[str, int]) -> str:
    rows = [f"| `{reference}` | {found / 1e6:.0f} MB |" for reference, found in sizes.items()]
    return "\n".join(["| Image | Size |", "|---|---|", *rows])
