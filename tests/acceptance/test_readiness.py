"""Without a model it starts and says what is missing; a model that comes is served without a restart.

A dead canary is named and taken away; the number of a version's workers follows what is asked for.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acceptance.conftest import ROOT
from tests.acceptance.running import wait_until
from tests.changing import BUILD_SECONDS, Changing, cut, in_any_place, unload
from tests.proofs.stack import clean_environment

SECONDS = 120.0
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    """Started without any model and without the source of one."""
    with without_model(ROOT) as place:
        yield place


def test_without_a_model_it_starts_and_says_what_is_missing(models: Changing, photo: bytes) -> None:
    assert models.http.get("/health/live").status_code == 200
    ready = models.http.get("/health/ready")
    assert ready.status_code == 503
    (reason,) = ready.json()["reasons"]
    assert "no archive" in reason
    assert "make archive" in reason
    refused = models.http.post("/predict", content=photo, headers=JPEG)
    assert (refused.status_code, refused.json()["code"]) == (503, "model_not_loaded")
    assert models.http.get("/info").json()["models"] == []
    assert models.http.get("/info/example").status_code == 503
    assert models.http.get("/models").json() == {"items": []}
    assert models.http.get("/health/detailed").json()["versions"] == []
    for page in ("/", "/docs"):
        assert models.http.get(page).status_code == 200
    assert "cannot answer yet" in models.stack.output()


def test_an_archive_that_is_cut_short_is_another_reason_than_none(models: Changing) -> None:
    cut(models.archive)
    wait_until(lambda: "plants-1.mar cannot be read" in models.reason(), SECONDS)


def test_a_model_that_comes_is_served_without_a_restart(models: Changing, photo: bytes) -> None:
    pid = models.stack.process("control plane").pid
    shutil.copy(models.built, models.archive)
    wait_until(models.stack.is_ready, SECONDS)
    assert models.http.post("/predict", content=photo, headers=JPEG).json()["version"] == "1"
    assert models.stack.process("control plane").pid == pid


def test_the_number_of_workers_is_followed_up_and_down(models: Changing, photo: bytes) -> None:
    for wanted in (2, 1, None):
        changed = models.http.put(f"{MODEL}/versions/1/workers", json={"workers": wanted}, headers=models.admin)
        assert changed.status_code == 200, changed.text
        wait_until(lambda: models.registered() == {"1": changed.json()["wanted_workers"]}, SECONDS)
