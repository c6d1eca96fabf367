"""In a container TorchServe is started as by `make run`, but for its addresses and its console."""

import sys
from pathlib import Path

from standalone.serve_torchserve import EVERYWHERE, program
from standalone.torchserve import TorchServe

ENVIRONMENT = {"PATH": "/bin", "WEEDWATCH_MODEL_STORE": "/models", "WEEDWATCH_EXCHANGE_DIR": "/exchange"}


def test_command_and_environment_are_those_of_make_run(tmp_path: Path) -> None:
    command, environment, folder = program({**ENVIRONMENT, "LOG_LOCATION": str(tmp_path / "logs")}, tmp_path)
    usual = TorchServe(Path(command[0]), EVERYWHERE, Path("/models"), tmp_path / "torchserve")
    assert folder == tmp_path / "torchserve"
    assert command == usual.command()
    assert environment == usual.environment(tmp_path / "logs", ENVIRONMENT) | {"LOG_CONSOLE_LEVEL": "info"}
    assert sys.executable in command


def test_it_listens_to_the_containers_network_and_grpc_does_not(tmp_path: Path) -> None:
    _, environment, _ = program(ENVIRONMENT, tmp_path)
    assert environment["TS_INFERENCE_ADDRESS"] == "http://0.0.0.0:8080"
    assert environment["TS_MANAGEMENT_ADDRESS"] == "http://0.0.0.0:8081"
    assert environment["TS_METRICS_ADDRESS"] == "http://0.0.0.0:8082"
    assert environment["TS_GRPC_INFERENCE_PORT"] == "0"


def test_secrets_of_the_container_are_not_handed_on(tmp_path: Path) -> None:
    _, environment, _ = program({**ENVIRONMENT, "DATABASE_URL": "x", "LD_TOKEN": "x", "OTHER": "x"}, tmp_path)
    assert not {"DATABASE_URL", "LD_TOKEN", "OTHER"} & set(environment)


def test_without_a_folder_for_logs_they_lie_in_its_own(tmp_path: Path) -> None:
    _, environment, folder = program(ENVIRONMENT, tmp_path)
    assert Path(environment["LOG_LOCATION"]).is_dir()
    assert folder in Path(environment["LOG_LOCATION"]).parents
    assert folder.stat().st_mode & 0o077 == 0
