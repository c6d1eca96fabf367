"""`make secrets` makes what is missing, keeps what is there, and makes again what follows from it."""

import stat
from pathlib import Path

import pytest

from deploy import secret_files


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}


def test_all_are_made_once_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = secret_files.make(folder)
    first = contents(folder)
    assert sorted(made) == sorted(first) == sorted((*secret_files.RANDOM, *secret_files.MADE_OF))
    assert len({first[name] for name in secret_files.RANDOM}) == len(secret_files.RANDOM)
    assert all(len(first[name].strip()) >= 40 for name in secret_files.RANDOM)
    assert secret_files.make(folder) == []
    assert contents(folder) == first


def test_only_the_owner_enters_the_folder_and_containers_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    secret_files.make(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()} == {0o444}


def test_what_somebody_else_wrote_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "key_secret").write_text("the new one\nthe old one\n")
    (tmp_path / "database_password").write_text("of-the-vault\n")
    made = secret_files.make(tmp_path)
    assert (tmp_path / "key_secret").read_text() == "the new one\nthe old one\n"
    assert (tmp_path / "database_url").read_text() == "postgresql://weedwatch:of-the-vault@postgres:5432/weedwatch\n"
    assert not {"key_secret", "database_password"} & set(made)


@pytest.mark.parametrize(
    ("changed", "follows"),
    [
        ("database_password", {"database_url"}),
        ("redis_password", {"limits_url", "redis_config"}),
        ("admin_token", set()),
    ],
)
def test_what_is_built_from_one_that_was_exchanged_is_made_again(
    tmp_path: Path, changed: str, follows: set[str]
) -> None:
    secret_files.make(tmp_path)
    (tmp_path / changed).unlink()
    (tmp_path / changed).write_text("exchanged-by-hand\n")
    assert set(secret_files.make(tmp_path)) == follows
    assert all("exchanged-by-hand" in (tmp_path / name).read_text() for name in follows)
