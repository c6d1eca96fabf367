"""`make pin`: the digests of other people's images, so that a tag that moves changes nothing."""

from __future__ import annotations

import argparse
import re

from deploy.composing import ROOT, said, write_env
from deploy.errors import CannotDeploy

SUMMARY = "write the digests of the images that are not ours into .env"
IMAGE = re.compile(r"\$\{(\w+_IMAGE):-([^}]+)\}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    pins = {name: f"{image}@{digest(image)}" for name, image in images().items()}
    write_env(pins)
    for pinned in pins.values():
        print(pinned)
    return 0


def images() -> dict[str, str]:
    """Variable → image with its tag, as compose.yaml has them."""
    return dict(IMAGE.findall((ROOT / "compose.yaml").read_text("utf-8")))


def digest(image: str) -> str:
    """By the registry.

    Raises:
        CannotDeploy: It cannot be reached, or has no such image.
    """
    found = said("buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}").strip()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        raise CannotDeploy(f"The registry gave no digest of {image}, but {found[:80]!r}.")
    return found
