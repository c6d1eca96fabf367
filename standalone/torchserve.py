"""TorchServe as a child: Java started directly, in a private folder, behind sockets that only we can reach."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from standalone.child import Program
from standalone.errors import CannotRun
from standalone.http import request
from standalone.kernel import IS_LINUX
from standalone.ports import free_ports
from standalone.settings import ROOT, without_secrets

# TorchServe and its workers get these variables of ours and no other: what they cannot read they cannot leak.
PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_", "TZ", "LD_", "CUDA_", "NVIDIA_", "ORT_", "MALLOC_",
    "WEEDWATCH_MAX_PIXELS", "WEEDWATCH_EXCHANGE_DIR", "WEEDWATCH_CUDA_PRECISION",
)  # fmt: skip
# No performance data: Java would keep a file of it where every user can see its name.
LIMITS = (
    "-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=256m", "-XX:+ExitOnOutOfMemoryError",
    "-XX:-CreateCoredumpOnCrash", "-XX:-UsePerfData",
)  # fmt: skip
LARGEST_FILE = 64 * 2**30
"""Bytes; an archive's largest member, with room. A worker gone wild does not fill the disk beyond it."""


@dataclass(frozen=True)
class Addresses:
    """Where TorchServe's APIs are: `unix:///path` of a socket, or `http://host:port`."""

    inference: str
    management: str
    metrics: str


def addresses(private: Path) -> Addresses:
    """Sockets in the private folder, which no other user can enter.

    Java brings what they need for Linux only. Elsewhere it is loopback, which every user of the machine can reach.
    """
    if IS_LINUX:
        return Addresses(*(f"unix://{private / name}" for name in ("inference", "management", "metrics")))
    return Addresses(*(f"http://127.0.0.1:{port}" for port in free_ports(3)))


@dataclass(frozen=True)
class TorchServe:
    """How TorchServe is started, and whether it answers."""

    java: Path
    addresses: Addresses
    model_store: Path
    private: Path
    """Mode 0700, and a short path: workers' sockets are there, and 107 bytes are all that a socket's path may have."""

    def program(self, logs: Path, environment: Mapping[str, str]) -> Program:
        return Program(
            name="TorchServe",
            command=self.command(),
            environment=self.environment(logs, environment),
            folder=self.private,
            log=logs / "torchserve-jvm.log",
            more_logs=(logs / "torchserve.log",),
            largest_file=LARGEST_FILE,
        )

    def command(self) -> tuple[str, ...]:
        site = site_packages()
        log_config = ROOT / "handlers" / "torchserve-log4j2.xml"
        logging = (f"-Dlog4j.configurationFile=file://{log_config}",) if log_config.exists() else ()
        return (
            str(self.java),
            f"-Djava.io.tmpdir={self.private}",
            f"-Dmodel_server_home={site}",
            *LIMITS,
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
        passed = {name: value for name, value in without_secrets(environment).items() if name.startswith(PASSED_ON)}
        return {
            **passed,
            **{
                f"TS_{api.upper()}_ADDRESS": address.replace("unix://", "unix:")
                for api, address in vars(self.addresses).items()
            },
            **grpc(),
            "TS_METRICS_CONFIG": str(ROOT / "handlers" / "torchserve-metrics.yaml"),
            "TEMP": str(self.private),
            "TMPDIR": str(self.private),
            "LOG_LOCATION": str(logs),
            "METRICS_LOCATION": str(logs),
            "OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", "1"),
            "PYTHONUNBUFFERED": "1",
        }

    async def is_ready(self) -> bool:
        answer = await request("/ping", at=self.addresses.inference, timeout_seconds=2)
        return answer is not None and answer.status == 200


def grpc() -> dict[str, str]:
    """Where its gRPC servers listen, which cannot be switched off and which nobody uses.

    On Linux at a broadcast address (config.properties), which no connection can be made to; the port is any.
    """
    if IS_LINUX:
        return {"TS_GRPC_INFERENCE_PORT": "0", "TS_GRPC_MANAGEMENT_PORT": "0"}
    inference, management = free_ports(2)
    return {
        "TS_GRPC_INFERENCE_ADDRESS": "127.0.0.1",
        "TS_GRPC_MANAGEMENT_ADDRESS": "127.0.0.1",
        "TS_GRPC_INFERENCE_PORT": str(inference),
        "TS_GRPC_MANAGEMENT_PORT": str(management),
    }


def site_packages() -> Path:
    spec = importlib.util.find_spec("ts")
    if spec is None or spec.origin is None:
        raise CannotRun("TorchServe is not installed. Run `make setup`.")
    return Path(os.path.realpath(spec.origin)).parent.parent
