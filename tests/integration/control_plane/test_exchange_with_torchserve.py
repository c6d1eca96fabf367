"""Photos handed over to a real TorchServe in a shared folder get the answers that they get in the call."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from control_plane.exchange import LEAST_BYTES, Exchange
from control_plane.torchserve import Inference, Item, TorchServe
from tests.integration.handlers import torchserve
from tests.integration.handlers.archives import build_tiny_archive
from tests.unit.handlers.pictures import encode, photo

PHOTO = encode(photo(700, 500))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exchange")


@pytest.fixture(scope="module")
def server(shared: Path) -> Iterator[torchserve.TorchServe]:
    with tempfile.TemporaryDirectory(prefix="ww-", dir="/tmp") as folder:
        running = torchserve.start(Path(folder), WEEDWATCH_EXCHANGE_DIR=str(shared))
        try:
            running.register(build_tiny_archive("tiny", running.store))
            yield running
        finally:
            running.stop()


def ask(server: torchserve.TorchServe, exchange: Exchange, *pictures: bytes) -> list[Inference]:
    async def asked() -> list[Inference]:
        client = TorchServe(
            inference_url=f"http://127.0.0.1:{server.ports['inference']}",
            management_url=f"http://127.0.0.1:{server.ports['management']}",
            max_answer_seconds=60,
            exchange=exchange,
        )
        await client.open()
        try:
            items = [
                Item(each, {"request_id": str(n), "top_k": 3}, monotonic() + 60) for n, each in enumerate(pictures)
            ]
            outcomes = await client.infer("tiny", "1", items)
        finally:
            await client.close()
        assert all(isinstance(each, Inference) for each in outcomes), outcomes
        return [each for each in outcomes if isinstance(each, Inference)]

    return asyncio.run(asked())


def test_a_photo_by_name_is_answered_as_in_the_call(server: torchserve.TorchServe, shared: Path) -> None:
    assert len(PHOTO) > LEAST_BYTES
    small = encode(photo(60, 50))

    by_name = ask(server, Exchange(shared), small, PHOTO)

    assert [each.predictions for each in by_name] == [
        each.predictions for each in ask(server, Exchange(None), small, PHOTO)
    ]
    assert list(shared.iterdir()) == []


def test_a_folder_that_is_not_shared_costs_one_more_call_and_no_answer(
    server: torchserve.TorchServe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(tmp_path)

    assert ask(server, exchange, PHOTO)
    assert ask(server, exchange, PHOTO)

    assert [record.message for record in caplog.records if "exchange folder" in record.message] == [
        "TorchServe's workers do not see the exchange folder: pictures travel in the calls from now on"
    ]
