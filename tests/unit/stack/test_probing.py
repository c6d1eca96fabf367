"""What the checks of a running stack call a fault; on real containers `tests/stack/wrong.py` shows it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.stack import probe, probing, wrong
from tests.stack.docker import Docker
from tests.stack.subject import Container, Inside, Process, Subject, read_inside

RIGHT_PROCESS = Process("python -m control_plane", 10001, 0, 0, True, 2)
RIGHT_INSIDE = Inside([RIGHT_PROCESS], "EROFS", 64 << 20, 100, 0.5, [8000])
LIMITS = {"memory": str(64 << 20), "pids": 100, "cpus": "0.5"}


def described(image: str = "weedwatch/edge:1", **host: object) -> dict[str, Any]:
    return {
        "Id": "1",
        "Config": {"Image": image, "Env": []},
        "HostConfig": {"ReadonlyRootfs": True, "Privileged": False, "CapDrop": ["ALL"], "CapAdd": None, **host},
        "NetworkSettings": {"Networks": {}, "Ports": {}},
        "Mounts": [],
    }


def subject(container: Container, limits: dict[str, object] | None = None, **secrets: str) -> Subject:
    resources = {"limits": LIMITS if limits is None else limits}
    services = {container.service: {"deploy": {"resources": resources}}}
    return Subject(Docker({}), {"services": services, "networks": {}}, [container], secrets)


EDGE = Container("edge", described(), RIGHT_INSIDE)
OFFLINE: tuple[Callable[[Subject], Iterable[str]], ...] = (
    *(probing.users, probing.roots, probing.limits, probing.rights, probing.published, probing.secrets),
)


@pytest.mark.parametrize("check", OFFLINE, ids=lambda check: str(check.__name__))
def test_a_container_that_is_as_it_should_be_has_no_fault(check: Callable[[Subject], Iterable[str]]) -> None:
    assert not list(check(subject(EDGE, key="a-secret-that-is-nowhere")))


@pytest.mark.parametrize(("image", "uid", "is_wrong"), [
    ("weedwatch/edge:1", 10002, True),
    ("weedwatch/edge:1", 0, True),
    ("redis:8", 999, False),
    ("redis:8", 0, True),
])  # fmt: skip
def test_nobody_is_root_and_ours_are_10001(image: str, uid: int, is_wrong: bool) -> None:
    inside = replace(RIGHT_INSIDE, processes=[RIGHT_PROCESS, replace(RIGHT_PROCESS, uid=uid)])
    assert len(list(probing.users(subject(Container("some", described(image), inside))))) == is_wrong


def test_what_has_ended_is_still_asked_what_it_might_have_done() -> None:
    ended = Container("archives", described(ReadonlyRootfs=False, CapDrop=None))
    assert [*probing.roots(subject(ended)), *probing.rights(subject(ended))] == [
        "archives: its root is not read-only",
        "archives: does not drop all capabilities",
    ]


@pytest.mark.parametrize(("name", "found"), [
    ("memory", None), ("memory", 65 << 20), ("pids", 101), ("pids", None), ("cpus", 0.6), ("cpus", None),
])  # fmt: skip
def test_a_limit_is_there_and_is_the_declared_one(name: str, found: float | None) -> None:
    container = replace(EDGE, inside=replace(RIGHT_INSIDE, **{name: found}))  # type: ignore[arg-type]
    assert len(list(probing.limits(subject(container)))) == 1


def test_a_limit_that_nobody_declared_is_a_fault() -> None:
    assert len(list(probing.limits(subject(EDGE, limits={})))) == 3


@pytest.mark.parametrize("change", [
    {"effective": 1}, {"bounding": 1 << 12}, {"no_new_privileges": False}, {"seccomp": 0},
])  # fmt: skip
def test_a_process_has_no_rights_and_no_way_to_any(change: dict[str, Any]) -> None:
    inside = replace(RIGHT_INSIDE, processes=[replace(RIGHT_PROCESS, **change)])
    assert len(list(probing.rights(subject(replace(EDGE, inside=inside))))) == 1


@pytest.mark.parametrize("host", [
    {"Privileged": True}, {"CapAdd": ["NET_ADMIN"]}, {"CapDrop": ["NET_RAW"]}, {"PidMode": "host"},
    {"IpcMode": "host"}, {"NetworkMode": "host"}, {"UsernsMode": "host"},
])  # fmt: skip
def test_a_container_gets_nothing_of_the_machine(host: dict[str, Any]) -> None:
    assert len(list(probing.rights(subject(Container("edge", described(**host), RIGHT_INSIDE))))) == 1


def test_only_its_proxy_has_the_socket_of_the_engine() -> None:
    mounted = {**described(), "Mounts": [{"Source": "/var/run/docker.sock"}]}
    assert list(probing.rights(subject(Container("alloy", mounted, RIGHT_INSIDE)))) == [
        "alloy: has the engine's socket"
    ]
    assert not list(probing.rights(subject(Container("docker-proxy", mounted, RIGHT_INSIDE))))


@pytest.mark.parametrize(("service", "port", "address", "is_wrong"), [
    ("edge", 8443, "192.0.2.1", False),
    ("edge", 9000, "192.0.2.1", True),
    ("grafana", 3000, "127.0.0.1", False),
    ("grafana", 3000, "192.0.2.1", True),
    ("postgres", 5432, "127.0.0.1", True),
    ("torchserve", 8081, "", True),
])  # fmt: skip
def test_only_the_edge_is_offered_and_grafana_on_loopback(
    service: str, port: int, address: str, is_wrong: bool
) -> None:
    bound = {f"{port}/tcp": [{"HostIp": address, "HostPort": "1234"}], "9999/tcp": None}
    container = Container(service, {**described(), "NetworkSettings": {"Networks": {}, "Ports": bound}}, RIGHT_INSIDE)
    assert len(list(probing.published(subject(container)))) == is_wrong


def test_a_secret_is_found_in_what_the_engine_tells_and_in_a_command_line() -> None:
    secret = "kXq3-0a_planted-secret-value"
    told = {**described(), "Config": {"Image": "x", "Env": [f"PASSWORD={secret}"]}}
    asked = replace(RIGHT_INSIDE, processes=[replace(RIGHT_PROCESS, command=f"redis-server --requirepass {secret}")])
    assert len(list(probing.secrets(subject(Container("redis", told, asked), key=secret)))) == 2


def test_secrets_are_taken_out_of_files_that_say_more(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("0123456789abcdefABCDEF_-x\n")
    (tmp_path / "short").write_text("hunter2\n")
    (tmp_path / "url").write_text("postgresql://weedwatch:0123456789abcdefABCDEF_-y@postgres:5432/weedwatch\n")
    (tmp_path / "config").write_text("requirepass 0123456789abcdefABCDEF_-z\nmaxmemory-policy volatile-ttl\n")
    (tmp_path / "empty").write_text("")
    assert probing.secrets_in(tmp_path) == {
        "config": "0123456789abcdefABCDEF_-z",
        "password": "0123456789abcdefABCDEF_-x",
        "short": "hunter2",
        "url": "0123456789abcdefABCDEF_-y",
    }


def test_every_check_has_a_planted_fault() -> None:
    assert set(wrong.MUST_FIND) == set(probing.CHECKS)
    assert all(wrong.MUST_FIND.values())


def test_what_is_overlooked_and_what_is_made_up_is_told() -> None:
    found: dict[str, list[str]] = {name: list(begins) for name, begins in wrong.MUST_FIND.items()}
    assert not wrong.overlooked(found)
    assert not wrong.made_up(found)
    found["users"] = ["redis: `redis-server` runs as uid 0"]
    assert wrong.overlooked(found) == ["users did not say: edge: …"]
    assert wrong.made_up(found) == ["users: redis: `redis-server` runs as uid 0"]


def test_services_that_do_not_run_are_named() -> None:
    assert probing.missing(subject(EDGE), ["edge", "postgres"]) == ["postgres"]


@pytest.mark.parametrize(("address", "is_loopback"), [
    ("0100007F", True),
    ("0B00007F", True),  # the engine's own name server
    ("00000000000000000000000001000000", True),
    ("0000000000000000FFFF00000100007F", True),
    ("00000000", False),
    ("00000000000000000000000000000000", False),
    ("020012AC", False),
])  # fmt: skip
def test_what_listens_for_the_container_alone_is_no_door(address: str, is_loopback: bool) -> None:
    assert probe._is_loopback(address) == is_loopback


@pytest.mark.parametrize(("said", "limit"), [("max", None), ("9223372036854771712", None), ("1024", 1024)])
def test_limits_are_read_in_both_versions_of_control_groups(
    said: str, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_read", lambda _names: said)
    assert probe._limit(probe.MEMORY) == limit


@pytest.mark.parametrize(("said", "cpus"), [("max 100000", None), ("-1", None), ("50000 100000", 0.5), ("150000", 1.5)])
def test_shares_of_processors_are_read_in_both_versions(
    said: str, cpus: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_read", lambda _names: said)
    assert probe._cpus() == cpus


def test_doors_are_told_apart() -> None:
    assert probe.reach([("127.0.0.1", 1), ("no-such-name.invalid", 80)]) == ["ECONNREFUSED", "no name"]


def test_what_a_probe_tells_is_read() -> None:
    process = {
        "command": "x",
        "Uid": "10001",
        "CapEff": "0000000000000000",
        "CapBnd": "00000000a80425fb",
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    entering = {**process, "command": "runc init", "Uid": "0"}
    told = {"processes": [process, entering], "root": "EROFS", "memory": 1, "pids": None, "cpus": 0.5, "listening": [1]}
    assert read_inside(told) == Inside([Process("x", 10001, 0, 0xA80425FB, True, 2)], "EROFS", 1, None, 0.5, [1])
