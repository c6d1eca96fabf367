"""Another user of the machine reaches nothing that the service listens on, but the public door."""

import os
import stat
from pathlib import Path

from tests.acceptance.conftest import Service
from tests.outsider import knock_everywhere
from tests.proofs.stack import ask_torchserve, run_description


def test_every_socket_that_is_listened_on_refuses_an_outsider(service: Service) -> None:
    knocks = knock_everywhere(service.stack)

    assert not [each for each in knocks if not each.refused]
    # What is expected to listen is among them: an empty list would refuse everybody, too.
    private = Path(run_description(service.stack)["private"])
    sockets = {each.door.address for each in knocks if each.door.kind == "unix"}
    assert {str(private / api) for api in ("inference", "management", "metrics")} <= sockets
    assert any(name.startswith(str(private / ".ts.sock.")) for name in sockets), "no worker listens"
    ports = sorted(each.door.process for each in knocks if each.door.kind == "tcp")
    assert ports == ["java", "java", "postgres", "python"]
    for api in ("inference", "management"):  # and who owns the sockets is answered
        assert ask_torchserve(service.stack, api, "/ping" if api == "inference" else "/models").status_code == 200


def test_folders_and_files_that_hold_secrets_or_photos_are_the_owners_alone(service: Service) -> None:
    described = run_description(service.stack)
    private = Path(described["private"])
    state = service.stack.state
    folders = [private, Path("/dev/shm") / f"{private.name}-exchange"]
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == os.geteuid()
    for file in (state / "admin-token", state / "postgres" / "password"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
