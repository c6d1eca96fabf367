"""Imports point downwards, and heavy or foreign parts stay where they belong."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Whoever stands here may import what stands below, never what stands above or beside it in its line.
CONTROL_PLANE = (
    ("__main__",),
    ("app",),
    ("routes",),
    ("web",),
    ("contract", "access", "predictions"),
    ("records", "models"),
    ("dispatch", "replicas", "draining"),
    ("torchserve",),
    ("tables", "exchange"),
    ("photos",),
    ("telemetry",),
    ("metrics",),
    ("settings",),
    ("domain", "errors", "secret_files", "version"),
)
LEVEL = {part: level for level, parts in enumerate(CONTROL_PLANE) for part in parts}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache  # each is read once for all tests
def modules(package: str) -> dict[str, set[str]]:
    folder = ROOT / package
    return {
        ".".join(file.relative_to(folder).with_suffix("").parts): imported(file)
        for file in folder.rglob("*.py")
        if file.name != "__init__.py"
    }


def inside(module: str) -> set[str]:
    """The modules of the control plane that `module` imports; not itself."""
    found = modules("control_plane")
    own = {name.removeprefix("control_plane.") for name in found[module] if name.startswith("control_plane.")}
    return (own & set(found)) - {module}


def test_every_part_of_the_control_plane_has_its_place() -> None:
    assert {module.split(".")[0] for module in modules("control_plane")} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(modules("control_plane")))
def test_imports_of_the_control_plane_point_downwards(module: str) -> None:
    part = module.split(".", maxsplit=1)[0]
    others = {name for name in inside(module) if name.split(".")[0] != part}
    assert not {name for name in others if LEVEL[name.split(".")[0]] <= LEVEL[part]}


def test_imports_of_the_control_plane_go_in_no_circle() -> None:
    TopologicalSorter({module: inside(module) for module in modules("control_plane")}).prepare()


@pytest.mark.parametrize(
    ("package", "foreign"),
    [
        ("handlers", {"backup", "control_plane", "quarantine", "standalone", "training", "fastapi"}),
        ("training", {"backup", "control_plane", "standalone", "fastapi"}),
        (
            "control_plane",
            {"backup", "observability", "quarantine", "standalone", "training"}
            | {"torch", "torchvision", "onnxruntime", "ts"},
        ),
        ("backup", {"observability", "quarantine", "training", "torch", "onnxruntime", "ts", "fastapi"}),
        # It loads models in processes of their own only: itself it is light, and knows nothing of the service.
        ("quarantine", {"control_plane", "training", "torch", "torchvision", "onnxruntime", "ts", "fastapi"}),
        ("observability", {"quarantine", "standalone", "training", "handlers", "torch", "fastapi"}),
        # It runs where nothing of ours is installed: by the host's own Python.
        (
            "deploy",
            {
                "control_plane",
                "handlers",
                "observability",
                "quarantine",
                "standalone",
                "training",
                "weedwatch",
                "pydantic",
            },
        ),
        ("standalone", {"control_plane", "observability", "quarantine", "training", "torch", "torchvision", "fastapi"}),
    ],
)
def test_a_part_does_not_import_what_it_must_not_know(package: str, foreign: set[str]) -> None:
    found = {(module, name) for module, names in modules(package).items() for name in names}
    assert not {(module, name) for module, name in found if name.split(".")[0] in foreign}


def test_the_client_knows_the_service_only_where_it_backs_it_up() -> None:
    service = {"backup", "control_plane", "handlers", "quarantine", "standalone"}
    found = {(module, name) for module, names in modules("weedwatch").items() for name in names}
    known = {(module, name) for module, name in found if name.split(".")[0] in service}
    assert known == {("commands.backups", "backup.cli"), ("commands.backups", "backup.cli.main")}


def test_backups_know_make_run_only_where_they_find_its_database() -> None:
    names = {module for module, found in modules("backup").items() if any(n.startswith("standalone") for n in found)}
    assert names == {"embedded"}


def test_the_control_plane_takes_from_the_handler_only_what_a_picture_and_a_frame_is() -> None:
    names = {name for names in modules("control_plane").values() for name in names if name.startswith("handlers")}
    modules_taken = {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}
    assert modules_taken == {"handlers.preprocessing", "handlers.frame"}


def test_what_watches_knows_of_the_service_only_its_metrics() -> None:
    names = {name for names in modules("observability").values() for name in names if name.startswith("control_plane")}
    assert {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()} == {"control_plane.metrics"}


def test_only_settings_read_the_environment() -> None:
    readers = {
        module
        for module in modules("control_plane")
        if "environ" in (ROOT / "control_plane" / (module.replace(".", "/") + ".py")).read_text()
    }
    assert readers <= {"settings"}


def test_a_worker_never_imports_torchvision() -> None:
    for module in ("plant_classifier", "preprocessing"):
        assert not any(name.startswith("torchvision") for name in modules("handlers")[module])
