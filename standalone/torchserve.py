"""TorchServe as a child: Java started directly, in a private folder, on loopback ports of its own."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from standalone.child import Program
from standalone.errors import CannotRun
from standalone.http import request
from standalone.settings import ROOT

# TorchServe and its workers get these variables of ours and no other: what they cannot read they cannot leak.
PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_", "TZ", "LD_", "CUDA_", "NVIDIA_", "ORT_", "MALLOC_",
    "WEEDWATCH_MAX_PIXELS", "WEEDWATCH_EXCHANGE_DIR",
)  # fmt: skip
HEAP = ("-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError")


@dataclass(frozen=True)
class TorchServePorts:
    """The five ports that TorchServe listens on, all of 127.0.0.1."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int


@dataclass(frozen=True)
class TorchServe:
    """How TorchServe is started, and whether it answers."""

    java: Path
    ports: TorchServePorts
    model_store: Path
    private: Path
    """A short path: TorchServe makes its sockets there, and 107 bytes are all that a socket's path may have."""

    def program(self, logs: Path, environment: Mapping[str, str]) -> Program:
        return Program(
            name="TorchServe",
            command=self.command(),
            environment=self.environment(logs, environment),
            folder=self.private,
            log=logs / "torchserve-jvm.log",
            more_logs=(logs / "torchserve.log",),
        )

    def command(self) -> tuple[str, ...]:
        site = site_packages()
        log_config = ROOT / "handlers" / "torchserve-log4j2.xml"
        logging = (f"-Dlog4j.configurationFile=file://{log_config}",) if log_config.exists() else ()
        return (
            str(self.java),
            f"-Djava.io.tmpdir={self.private}",
            f"-Dmodel_server_home={site}",
            *HEAP,
            *logging,
            "-cp",
            f"{site}/ts/frontend/*",
            "org.pytorch.serve.ModelServer",
            "--python",
            sys.executable,
            "-f",
            str(ROOT / "config.properties"),
            "-s",
            str(self.model_store),
            "-ncs",
        )

    def environment(self, logs: Path, environment: Mapping[str, str]) -> dict[str, str]:
        passed = {name: value for name, value in environment.items() if name.startswith(PASSED_ON)}
        ports = self.ports
        return {
            **passed,
            "TS_INFERENCE_ADDRESS": f"http://127.0.0.1:{ports.inference}",
            "TS_MANAGEMENT_ADDRESS": f"http://127.0.0.1:{ports.management}",
            "TS_METRICS_ADDRESS": f"http://127.0.0.1:{ports.metrics}",
            "TS_GRPC_INFERENCE_PORT": str(ports.grpc_inference),
            "TS_GRPC_MANAGEMENT_PORT": str(ports.grpc_management),
            "TS_METRICS_CONFIG": str(ROOT / "handlers" / "torchserve-metrics.yaml"),
            "TEMP": str(self.private),
            "TMPDIR": str(self.private),
            "LOG_LOCATION": str(logs),
            "METRICS_LOCATION": str(logs),
            "OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", "1"),
            "PYTHONUNBUFFERED": "1",
        }

    async def is_ready(self) -> bool:
        answer = await request("/ping", port=self.ports.inference, timeout_seconds=2)
        return answer is not None and answer.status == 200


def site_packages() -> Path:
    spec = importlib.util.find_spec("ts")
    if spec is None or spec.origin is None:
        raise CannotRun("TorchServe is not installed. Run `make setup`.")
    return Path(os.path.realpath(spec.origin)).parent.parent
