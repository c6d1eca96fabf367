"""What stands in the way of a start is said in a sentence that names who and what to do."""

import os
import socket
from pathlib import Path

import pytest

from standalone.checks import check_port, check_state_dir, port_message
from standalone.errors import CannotRun
from standalone.keys import check_auth
from standalone.ports import free_ports, is_free, next_free_port
from standalone.settings import read_settings


def test_a_busy_port_names_its_program_and_the_next_free_port(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_ports(1)[0]))
        holder.listen()
        port = holder.getsockname()[1]
        settings = read_settings({"WEEDWATCH_PORT": str(port)}, tmp_path)

        with pytest.raises(CannotRun) as caught:
            check_port(settings)

    assert f"pid {os.getpid()}" in str(caught.value)
    assert f"WEEDWATCH_PORT={next_free_port(port, '127.0.0.1')} make run" in str(caught.value)


def test_the_port_message_does_without_what_it_cannot_know() -> None:
    assert port_message(8000, None, None) == ("Port 8000 is in use by a program of another user. End that program.")


def test_a_free_port_passes(tmp_path: Path) -> None:
    check_port(read_settings({"WEEDWATCH_PORT": str(free_ports(1)[0])}, tmp_path))


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(6)

    assert len(set(ports)) == 6
    assert all(is_free(port) for port in ports)


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(CannotRun, match=r"cannot be written .*WEEDWATCH_STATE_DIR"):
        check_state_dir(tmp_path / "state")


def test_a_missing_state_folder_is_made(tmp_path: Path) -> None:
    check_state_dir(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "weedwatch.example"])  # noqa: S104
def test_open_to_the_network_without_asking_for_a_credential_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=rf"WEEDWATCH_HOST is {host}, and WEEDWATCH_AUTH is off: .*WEEDWATCH_AUTH=keys"):
        check_auth(read_settings({"WEEDWATCH_HOST": host}, tmp_path))


@pytest.mark.parametrize(
    ("host", "auth"),
    [("127.0.0.1", "off"), ("::1", "off"), ("localhost", ""), ("0.0.0.0", "keys")],  # noqa: S104
)
def test_loopback_needs_no_credential_and_the_network_is_open_to_those_that_have_one(
    host: str, auth: str, tmp_path: Path
) -> None:
    check_auth(read_settings({"WEEDWATCH_HOST": host, "WEEDWATCH_AUTH": auth}, tmp_path))
