"""Migrations are numbered; and the role that Grafana reads with, made in three places, is the same in each."""

from pathlib import Path

from observability import reader

ROOT = Path(__file__).parents[2]


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_stacks_database_and_the_migration_give_what_the_script_gives() -> None:
    made = words((ROOT / "deploy" / "postgres" / "10-roles.sql").read_text("utf-8"))
    granted = words((ROOT / "control_plane" / "tables" / "migrations" / "0012_reader.sql").read_text("utf-8"))
    limits = reader.MAKES_ROLE[1].partition(" LOGIN ")[2]
    assert f"CREATE ROLE {reader.ROLE} LOGIN {limits} PASSWORD" in made
    assert [each for each in reader.MAKES_ROLE[2:] if f"{each};" not in made] == []
    assert [each for each in reader.GRANTS if each.startswith("GRANT") and f"{each};" not in granted] == []


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = [file.name[:4] for file in sorted((ROOT / "control_plane" / "tables" / "migrations").glob("*.sql"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
