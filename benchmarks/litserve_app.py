"""The server of (e): `python -m benchmarks.litserve_app <unpacked archive> <port> <workers>`.

Run by the benchmark's own Python. LitServe is tuned: its quicker queue, one process for HTTP
per worker as is its default, no log of each request.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import litserve  # type: ignore[import-not-found] # in the benchmark's own environment only
from fastapi import Body, Response

from benchmarks.classifier import Classifier


class Plants(litserve.LitAPI):  # type: ignore[misc]
    """Our functions behind LitServe's interface."""

    def __init__(self, folder: Path) -> None:
        super().__init__(api_path="/predict")
        self._folder = folder

    def setup(self, device: str) -> None:  # noqa: ARG002 - the interface's
        self._classifier = Classifier(self._folder)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        return request

    def predict(self, x: bytes, **_: Any) -> bytes:
        return self._classifier.answer(x)

    def encode_response(self, output: bytes, **_: Any) -> Response:
        return Response(output, media_type="application/json")


def main() -> None:
    folder, port, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    server = litserve.LitServer(
        Plants(folder), accelerator="cpu", workers_per_device=workers, timeout=False, fast_queue=True
    )
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
