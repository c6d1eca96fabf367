"""`make fetch TAG=…`: the images of a tag, from the registry that WEEDWATCH_REGISTRY names, else built here."""

from __future__ import annotations

import argparse

from deploy import building
from deploy.building import IMAGES, docker
from deploy.composing import setting

SUMMARY = "get the images of a tag: from the registry, if one is named, else by building them"
REGISTRY = "WEEDWATCH_REGISTRY"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tag", help="such as 0.2.0")


def run(options: argparse.Namespace) -> int:
    registry = setting(REGISTRY, "").rstrip("/")
    if not registry:
        print(f"{REGISTRY} is not set, so the images are built here.")
        return building.run(
            argparse.Namespace(names=[], tag=options.tag, torch=setting("TORCH", "") or None, sizes=False)
        )
    for image in IMAGES:
        own = image.reference(options.tag)
        docker("pull", "--quiet", f"{registry}/{own}")
        docker("tag", f"{registry}/{own}", own)
    return 0
