"""`make rollback`: the images before the last `make deploy`."""

from __future__ import annotations

import argparse

from deploy.composing import setting, write_env
from deploy.errors import CannotDeploy
from deploy.update import PREVIOUS, TAG, change

SUMMARY = "go back to the tag before the last update"


def add_options(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    present, previous = setting(TAG, "latest"), setting(PREVIOUS, "")
    if not previous:
        raise CannotDeploy("There was no update, so there is no tag to go back to. `make deploy TAG=…` names one.")
    change(present, previous)
    write_env({TAG: previous, PREVIOUS: present})
    print(f"The control plane runs {previous} again.")
    return 0
