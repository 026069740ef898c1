"""Every scenario that comes with simkit is valid, explained by a comment, and does what it expects."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from simkit.core.family import Family
from simkit.engine.pipeline import run_scenario
from simkit.scenario import loading
from simkit.scenario.loading import Loaded, dump
from simkit.scenario.spec import Scenario

ROOT = Path(__file__).parents[2] / "scenarios"
FILES = sorted(ROOT.rglob("*.yaml"))
BRING_YOUR_OWN = {"apoferritin.yaml", "beta-galactosidase.yaml"}
"""Scenarios of micrographs that are not part of the repository; `test_real_micrographs.py` runs them."""


def load(file: Path, overrides: tuple[str, ...] = ()) -> Loaded:
    return loading.load(file, overrides=overrides, search_only=file.name in BRING_YOUR_OWN)


RUN = [
    f for f in FILES if ((s := load(f).scenario).simulates or s.micrographs is not None) and s.sweep is None
]
"""Sweeps are run, in the small, by `test_sweep.py`."""
ELSEWHERE = ROOT / "theory"
"""`test_theory_scenarios.py` holds these to what they expect, since it looks at the same runs."""
SMALLER = {
    "hemocyanin.yaml": (
        "replicates=1",
        "image.shape=[1024, 1024]",
        "specimen.top.lattice.count=10",
        "specimen.side.lattice.count=10",
        "templates.side.rotations.step=10°",
        "pickers.matched.threshold.per_image=0.25",
    )
}
"""A quarter of one micrograph, as full of particles and false picks, shows what is expected of four."""
LARGE = 110_000
"""Pixels of a micrograph above which its nulls are left out, as where it is not about pickers: they change
nothing that is expected, and the smaller ones have some for every kind of picker."""
PROGRAMS = {"topaz": "topaz", "aspire": "aspire", "relion": "relion_autopick", "pytme": "pytme"}
"""Scenario of an outside program → the program."""
DRAWN = ("shape", "unit_cell", "lattice", "background", "psf", "noise")
FAMILIES = (*DRAWN, "template", "threshold", "picker", "audit")


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=name)
def test_it_says_what_it_shows(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# "), "a header comment says what the scenario shows"
    scenario = load(file).scenario
    assert scenario.title
    assert scenario.expect or file not in RUN, "`expect:` says what must hold"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_it_is_written_back_whole(file: Path, tmp_path: Path) -> None:
    scenario = load(file).scenario
    again = tmp_path / "again.yaml"
    again.write_text(dump(scenario), encoding="utf-8")
    assert load(again).scenario == scenario


@pytest.mark.parametrize("file", [file for file in RUN if ELSEWHERE not in file.parents], ids=name)
def test_it_does_what_it_expects(file: Path) -> None:
    if file.stem in PROGRAMS and shutil.which(PROGRAMS[file.stem]) is None:
        pytest.skip(f"{PROGRAMS[file.stem]} is not installed; test_outside_scenarios.py has a stand-in")
    scenario = load(file, SMALLER.get(file.name, ())).scenario
    shape = scenario.image.shape
    bare = shape is not None and (math.prod(shape) > LARGE or not file.stem.startswith("picker_"))
    if scenario.score and bare:
        score = scenario.score.model_copy(update={"null_micrographs": 0})
        scenario = scenario.model_copy(update={"score": score})
    result = run_scenario(scenario, workers=1)
    failed = [outcome for outcome in result.scores["expectations"] if not outcome["passed"]]
    assert failed == []


def kinds_in(scenario: Scenario) -> set[tuple[str, str]]:
    found = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for child in value.values():
                walk(child)
        elif isinstance(value, (list, tuple)):
            for child in value:
                walk(child)
        elif hasattr(value, "__pydantic_fields__"):
            if hasattr(value, "kind"):
                found.add((type(value).__module__.split(".")[1], value.kind))
            for field in type(value).model_fields:
                walk(getattr(value, field))

    walk(scenario)
    return found


def test_every_kind_has_a_scenario() -> None:
    import importlib

    shown = set().union(*(kinds_in(load(file).scenario) for file in FILES))
    families = [
        "shape",
        "unit_cell",
        "view",
        "lattice",
        "background",
        "psf",
        "noise",
        "template",
        "threshold",
        "picker",
        "metric",
        "audit",
    ]
    missing = []
    for family in families:
        members: Family = importlib.import_module(f"simkit.{family}").FAMILY
        missing += [(family, kind) for kind in members.builtins if (family, kind) not in shown]
    assert missing == []
