"""`make fetch TAG=…`: the images of a tag, from the registry that WEEDWATCH_REGISTRY names, else built here."""

from __future__ import annotations

import argparse

from deploy import building
from deploy.building import IMAGES, docker
from deploy.composing import said, setting

SUMMARY = "get the images of a tag: from the registry, if one is named, else by building them"
REGISTRY = "WEEDWATCH_REGISTRY"
CUDA = "-cuda"
"""Behind the tag of TorchServe's image for GPUs, as `deploy/compose.gpu.yaml` and the releases write it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tag", help="such as 0.2.0")


def run(options: argparse.Namespace) -> int:
    tag, registry = options.tag, setting(REGISTRY, "").rstrip("/")
    with_cuda = wants_cuda()
    if not registry:
        print(f"{REGISTRY} is not set, so the images are built here.")
        _build([], tag, setting("TORCH", "") or None)
        if with_cuda:
            _build(["torchserve"], tag + CUDA, "cuda")
        return 0
    wanted = [image.reference(tag) for image in IMAGES]
    if with_cuda:
        wanted.append(f"weedwatch/torchserve:{tag}{CUDA}")
    for own in wanted:
        docker("pull", "--quiet", f"{registry}/{own}")
        docker("tag", f"{registry}/{own}", own)
    return 0


def wants_cuda() -> bool:
    """Whether the files that COMPOSE_FILE names run TorchServe on a GPU.

    Raises:
        CannotDeploy: Compose cannot read them.
    """
    images = said("compose", "config", "--images").split()
    return any(image.startswith("weedwatch/torchserve:") and image.endswith(CUDA) for image in images)


def _build(names: list[str], tag: str, torch: str | None) -> None:
    building.run(argparse.Namespace(names=names, tag=tag, torch=torch, sizes=False))
