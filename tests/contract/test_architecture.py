"""Imports point down: core ← … ← scenario ← engine ← sweeps, conformance ← reports ← suites ← cli."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "simkit"

FAMILIES = ["unit_cell", "lattice", "background", "psf", "noise", "template", "picker", "metric", "audit"]
LAYERS = [
    {"core"},
    {"theory", "io", "matching", "correlation", "statistics"},
    {"shape", "view", "threshold", "indexing", "judging"},
    {*FAMILIES, "adapters"},
    {"scenario"},
    {"engine"},
    {"sweeps", "conformance"},
    {"reports"},
    {"suites"},
    {"cli", "api", "__init__", "__main__"},
]
HEIGHT = {room: height for height, layer in enumerate(LAYERS) for room in layer}
EXPENSIVE = {"matplotlib": {"reports"}, "scipy.fft": {"core/fourier.py"}, "finufft": {"core/fourier.py"}}


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(source: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def wrong_imports(room: str, source: str) -> list[str]:
    wrong = []
    for name in imports_of(source):
        parts = name.split(".")
        if parts[0] != "simkit" or len(parts) < 2:
            continue
        other = parts[1]
        same = other == room or (
            room in ("api", "__init__", "__main__", "cli") and HEIGHT[other] <= HEIGHT[room]
        )
        if not same and HEIGHT[other] >= HEIGHT[room]:
            wrong.append(name)
    return wrong


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    assert wrong_imports(room_of(file), file.read_text()) == []


def test_an_upward_import_would_be_noticed() -> None:
    assert wrong_imports("core", "from simkit.engine import pipeline") == ["simkit.engine.pipeline"]
    assert wrong_imports("psf", "import simkit.noise.gaussian") == ["simkit.noise.gaussian"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_one_room_draws_and_one_file_transforms(file: Path) -> None:
    place = str(file.relative_to(ROOT))
    for name in imports_of(file.read_text()):
        for library, rooms in EXPENSIVE.items():
            if name.startswith(library):
                assert any(place.startswith(room) for room in rooms), f"{place} imports {library}"


def test_picking_never_sees_truth_and_scoring_never_sees_pixels() -> None:
    picking = (ROOT / "engine" / "picking.py").read_text()
    scoring = (ROOT / "engine" / "scoring.py").read_text()
    assert not any("Truth" in name or "simulation" in name for name in imports_of(picking))
    assert not any(
        "xarray" in name or "read_image" in name or "Simulation" in name for name in imports_of(scoring)
    )


def test_every_kind_is_a_file_of_its_own() -> None:
    for family in [*FAMILIES, "shape", "view", "threshold"]:
        package = __import__(f"simkit.{family}", fromlist=["FAMILY"])
        for kind, spec in package.FAMILY.builtins.items():
            assert spec.__module__ == f"simkit.{family}.{kind}", f"{family} {kind} lives in {spec.__module__}"


def test_the_public_face_is_small_and_works() -> None:
    import simkit

    assert len(simkit.__all__) <= 30
    for name in simkit.__all__:
        assert getattr(simkit, name) is not None
