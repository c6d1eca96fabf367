"""The quarantine of a cluster starts only where its pod reaches nobody."""

import socket

import pytest

from quarantine import alone


def _taken() -> tuple[socket.socket, dict[str, str]]:
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    return listener, {alone.HOST: host, alone.PORT: str(port)}


def test_it_does_not_start_where_the_kubernetes_api_takes_connections(capsys: pytest.CaptureFixture[str]) -> None:
    listener, environment = _taken()
    with listener:
        assert alone.main(environment, patience=0.0) == 1
    assert "does not follow the NetworkPolicy" in capsys.readouterr().out


def test_it_starts_where_nobody_takes_connections() -> None:
    listener, environment = _taken()
    listener.close()
    assert alone.main(environment, patience=0.0) == 0


def test_it_does_not_start_where_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert alone.main({}) == 1
    assert "nobody can say" in capsys.readouterr().out
