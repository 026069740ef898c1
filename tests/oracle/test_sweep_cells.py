"""Axes become cells: every way of declaring them, what is left out, and errors at their place in the file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from simkit.scenario.loading import read_draft
from simkit.scenario.source import InvalidScenarioError
from simkit.scenario.sweep import Sweep
from simkit.sweeps import running
from simkit.sweeps.cells import Cell, expand

SCENARIO = """\
schema_version: 1
image: {shape: [64, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 30 Å, width: 8 Å}]}
    lattice: {kind: scattered, count: 2, min_distance: 100 Å}
noise: {film: {kind: gaussian, snr: 0.5}}
templates: {ring: {kind: specimen, of: ring}}
pickers:
  matched: {kind: matched_filter, threshold: {kind: top, count: 2}}
score: {radius: 20 Å}
"""


def cells_of(axes: dict[str, Any], **more: Any) -> tuple[Cell, ...]:
    return expand(Sweep.model_validate({"axes": axes, **more}))


def labels(cells: tuple[Cell, ...]) -> list[tuple[str, ...]]:
    return [tuple(level.label for level in cell.levels.values()) for cell in cells]


def written(tmp_path: Path, sweep: str) -> Path:
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO + sweep)
    return file


def test_axes_are_crossed_and_the_last_is_fastest() -> None:
    cells = cells_of(
        {"a": {"path": "x.a", "values": [1, 2]}, "b": {"path": "x.b", "values": ["u", "v", "w"]}}
    )
    assert labels(cells) == list(itertools.product("12", "uvw"))
    assert [cell.number for cell in cells] == list(range(6))


def test_steps_are_equal_and_ends_exact_with_their_unit() -> None:
    cells = cells_of(
        {"d": {"path": "psf.lens.defocus", "linspace": {"from": "1 µm", "to": "3 µm", "count": 5}}}
    )
    values = [cell.levels["d"].value for cell in cells]
    assert values == [1e4, 1.5e4, 2e4, 2.5e4, 3e4]
    assert cells[1].settings[0].value == "15000 Å"


def test_ratios_are_equal() -> None:
    cells = cells_of({"s": {"path": "noise.film.snr", "logspace": {"from": 0.01, "to": 1, "count": 5}}})
    values = np.array([cell.levels["s"].value for cell in cells])
    # Twelve digits are kept.
    np.testing.assert_allclose(values[1:] / values[:-1], np.sqrt(10), rtol=1e-11)
    assert (values[0], values[-1]) == (0.01, 1.0)


def test_zip_goes_side_by_side() -> None:
    cells = cells_of(
        {"size": {"zip": {"image.pixel_size": ["1 Å", "2 Å"], "image.shape": [[64, 64], [32, 32]]}}}
    )
    assert [[s.value for s in cell.settings] for cell in cells] == [["1 Å", [64, 64]], ["2 Å", [32, 32]]]


def test_cases_set_components_or_several_paths() -> None:
    cells = cells_of(
        {
            "picker": {"path": "pickers.it", "cases": {"a": {"kind": "ncc"}, "b": {"kind": "phase"}}},
            "optics": {"cases": {"weak": {"noise.film.snr": 0.1, "seed": 3}, "none": {}}},
        }
    )
    assert labels(cells) == [("a", "weak"), ("a", "none"), ("b", "weak"), ("b", "none")]
    assert [s.path for s in cells[0].settings] == ["pickers.it", "noise.film.snr", "seed"]


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({"dose": 5}, [10.0, 20.0]),
        ({"dose": [5, 20]}, [10.0]),
        ({"dose": "< 10"}, [10.0, 20.0]),
        ({"dose": "<= 10"}, [20.0]),
        ({"dose": "> 10"}, [5.0, 10.0]),
        ({"dose": "!= 10"}, [10.0]),
    ],
)
def test_what_is_excluded(entry: dict[str, Any], left: list[float]) -> None:
    axes = {"dose": {"path": "noise.shot.dose", "values": [5, 10, 20]}}
    assert [cell.levels["dose"].value for cell in cells_of(axes, exclude=[entry])] == left


def test_an_entry_of_exclude_needs_all_its_axes_to_agree() -> None:
    axes = {
        "dose": {"path": "d", "values": ["5 e/Å²", "10 e/Å²"]},
        "picker": {"path": "p", "cases": {"a": 1, "b": 2}},
    }
    cells = cells_of(axes, exclude=[{"dose": "< 1000 e/nm²", "picker": "a"}])
    assert labels(cells) == [("5 e/Å²", "b"), ("10 e/Å²", "a"), ("10 e/Å²", "b")]


def test_a_union_repeats_nothing() -> None:
    axes = {"a": {"path": "x", "values": [1, 2]}}
    cells = cells_of(axes, union=[{"axes": {"a": {"path": "x", "values": [2, 3]}}}])
    assert labels(cells) == [("1",), ("2",), ("3",)]


def test_sobol_points_are_those_of_scipy_and_crossed_with_the_other_axes() -> None:
    axes = {
        "a": {"path": "a", "between": {"from": 0, "to": 10}},
        "b": {"path": "b", "between": {"from": 1, "to": 100}, "scale": "log"},
        "c": {"path": "c", "values": ["u", "v"]},
    }
    cells = cells_of(axes, sample={"kind": "sobol", "count": 6, "seed": 4})
    points = qmc.Sobol(2, rng=4).random_base2(3)[:6]
    u = [cell for cell in cells if cell.levels["c"].label == "u"]
    found = np.array([[cell.levels["a"].value, cell.levels["b"].value] for cell in u])
    np.testing.assert_allclose(found[:, 0], 10 * points[:, 0], rtol=1e-11)
    np.testing.assert_allclose(np.log10(found[:, 1]) / 2, points[:, 1], atol=1e-11)
    assert len(cells) == 12
    assert list(cells[0].levels) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "value", ["5 Å", "a: b", "", "1", 1, True, None, [1, "x: y"], {"kind": "ncc"}, "- x", "#"]
)
def test_what_set_is_given_for_a_cell_is_read_back(tmp_path: Path, value: Any) -> None:
    (cell,) = cells_of({"t": {"path": "title", "values": [value]}})
    ((path, text),) = cell.written
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO)
    assert read_draft(file, overrides=[f"{path}={text}"]).data["title"] == value


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_as_many_cells_as_combinations_each_once(counts: list[int]) -> None:
    axes = {f"a{i}": {"path": f"p{i}", "values": list(range(n))} for i, n in enumerate(counts)}
    cells = cells_of(axes)
    assert len(cells) == np.prod(counts) == len(set(labels(cells)))


FAULTS = [
    ("axes: {r: {path: score.radius, values: [20 Å, 5]}}", "5]", "5 has no unit"),
    ("axes: {r: {path: score.radus, values: [20 Å]}}", "20 Å", "`radius`"),
    ("axes: {r: {path: seed.x, values: [1]}}", "1]", "must be a whole number"),
    ("axes: {r: {values: [1]}}", "{values", "say what is varied"),
    ("axes: {r: {path: seed, values: [1], cases: {a: 1}}}", "{path", "one way"),
    ("axes: {r: {zip: {seed: [1, 2], replicates: [1]}}}", "{zip", "one length"),
    ("axes: {r: {path: seed, between: {from: 1, to: 9}}}", "{axes", "which to take"),
    ("axes: {r: {path: seed, values: [1]}}, exclude: [{s: 1}]", "1}]", "no axis 's'"),
    ("axes: {r: {path: seed, values: [1]}}, exclude: [{r: 1}]", "[{r: 1}]", "every combination"),
    ("axes: {r: {path: seed, logspace: {from: 0, to: 1, count: 3}}}", "{path", "above 0"),
    ("axes: {r: {path: a, linspace: {from: 1 Å, to: 1 kV, count: 3}}}", "{from", "different kinds"),
    (
        "axes: {r: {path: seed, values: [1]}}, replicates: {at_most: 9, picker: nobody, half_width: 0.1}",
        "nobody",
        "no 'nobody'",
    ),
    (
        "axes: {r: {path: noise.film.snr, between: {from: 1, to: 2}}}, "
        "find: {along: r, picker: matched, metric: recal, crosses: 0.5}",
        "recal,",
        "`recall`",
    ),
]


@pytest.mark.parametrize(("sweep", "at", "message"), FAULTS, ids=[message for *_, message in FAULTS])
def test_what_is_wrong_is_said_where_it_is_written(tmp_path: Path, sweep: str, at: str, message: str) -> None:
    line = f"sweep: {{{sweep}}}"
    file = written(tmp_path, line)
    with pytest.raises(InvalidScenarioError) as raised:
        running.plan(read_draft(file))
    assert f"{file}:12:{line.index(at) + 1}: " in str(raised.value)
    assert message in str(raised.value)


def test_one_fault_of_many_cells_is_told_once(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "sweep: {axes: {s: {path: seed, values: [1, 2, 3]}, r: {path: score.radius, values: [-1 Å, 9 Å]}}}",
    )
    with pytest.raises(InvalidScenarioError) as raised:
        running.plan(read_draft(file))
    (problem,) = raised.value.problems
    assert "(in the cell s 1, r -1 Å and 2 more)" in problem.message


def test_cells_are_the_scenario_with_their_values(tmp_path: Path) -> None:
    file = written(tmp_path, "sweep: {axes: {s: {path: noise.film.snr, values: [0.1, 0.2]}}, replicates: 3}")
    made = running.plan(read_draft(file, overrides=["seed=9"]))
    cases = made.cases(made.cells, replicates=3)
    assert [case.scenario.noise["film"].model_dump()["snr"] for case in cases] == [0.1, 0.2]
    assert {(case.scenario.seed, case.scenario.replicates) for case in cases} == {(9, 3)}
    assert all(case.scenario.sweep is None for case in cases)
    # A cell is that scenario with the same values set by hand.
    alone = read_draft(file, overrides=["seed=9", "replicates=3", "noise.film.snr=0.1"]).validated().scenario
    assert cases[0].scenario == alone.model_copy(update={"sweep": None})
