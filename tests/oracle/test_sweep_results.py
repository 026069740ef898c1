"""What a sweep keeps and when it works anew: keys, the store, and the answers of searches and replicates."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkit.core.tables import Picks, Truth
from simkit.scenario.loading import read_draft
from simkit.scenario.spec import Scenario
from simkit.scenario.sweep import Find, Sweep, Until
from simkit.sweeps import crossing, replication
from simkit.sweeps.cells import Cell
from simkit.sweeps.completion import Case
from simkit.sweeps.errand import scenario_of, text_of
from simkit.sweeps.keys import Keys
from simkit.sweeps.store import Store, table_arrays, table_of

SCENARIO = """\
schema_version: 1
image: {shape: [64, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 30 Å, width: 8 Å}]}
    lattice: {kind: scattered, count: 2, min_distance: 100 Å}
noise: {film: {kind: gaussian, snr: 0.5}}
templates: {ring: {kind: specimen, of: ring}, other: {kind: specimen, of: ring}}
pickers:
  matched: {kind: matched_filter, templates: [ring], threshold: {kind: top, count: 2}}
  plain: {kind: correlation, threshold: {kind: top, count: 2}}
score: {radius: 20 Å}
"""


def scenario(tmp_path: Path, *overrides: str) -> Scenario:
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO)
    return read_draft(file, overrides=overrides).validated().scenario


def keys(tmp_path: Path, *overrides: str) -> dict[str, str]:
    k = Keys(scenario(tmp_path, *overrides))
    return {
        "micrograph": k.micrograph(0),
        "matched": k.picks("matched", 0),
        "plain": k.picks("plain", 0),
        "scores": k.scores,
    }


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("title=another", set()),
        ("pickers.third={kind: phase, threshold: {kind: top, count: 2}}", {"scores"}),
        ("score.radius=10 Å", {"scores"}),
        ("replicates=3", {"scores"}),
        ("pickers.plain.threshold.count=3", {"plain", "scores"}),
        ("templates.other.finds=ring", {"plain", "scores"}),
        ("noise.film.snr=0.4", {"micrograph", "matched", "plain", "scores"}),
        ("seed=1", {"micrograph", "matched", "plain", "scores"}),
        ("specimen.ring.lattice.count=1", {"micrograph", "matched", "plain", "scores"}),
    ],
)
def test_only_what_depends_on_it_gets_another_key(tmp_path: Path, override: str, changed: set[str]) -> None:
    before, after = keys(tmp_path), keys(tmp_path, override)
    # That of a template which finds what it would have found anyway is still another text.
    assert {name for name in before if before[name] != after[name]} == changed


def test_other_species_first_is_another_micrograph(tmp_path: Path) -> None:
    """What was placed first occupies the room of what comes later."""
    one = {"unit_cell": {"kind": "shapes", "shapes": [{"kind": "disk", "radius": 30.0}]}}
    one["lattice"] = {"kind": "scattered", "count": 2, "min_distance": 10.0}
    base: dict[str, Any] = {"schema_version": 1, "image": {"shape": (64, 64), "pixel_size": 4.0}}
    ab = Scenario.model_validate(base | {"specimen": {"a": one, "b": one}})
    ba = Scenario.model_validate(base | {"specimen": {"b": one, "a": one}})
    assert Keys(ab).micrograph(0) != Keys(ba).micrograph(0)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text("y,x\n10,10\n")
    override = "specimen.ring.lattice={kind: positions, file: places.csv}"
    before = keys(tmp_path, override)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "places.csv").write_text("y,x\n10,10\n")
    assert keys(moved, override) == before
    table.write_text("y,x\n10,11\n")
    assert keys(tmp_path, override)["micrograph"] != before["micrograph"]


def test_a_scenario_travels_as_text(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    assert scenario_of(text_of(one)) == one
    assert len(text_of(one)) < 4000


@given(
    rows=st.lists(
        st.tuples(
            st.text("abä ", max_size=3), st.floats(allow_infinity=False), st.floats(allow_infinity=False)
        ),
        max_size=6,
    )
)
def test_a_table_comes_back_from_its_arrays(rows: list[tuple[str, float, float]]) -> None:
    names, y, x = zip(*rows, strict=True) if rows else ((), (), ())
    picks = Picks(**{"class": list(names), "y": np.array(y, float), "x": np.array(x, float)})
    assert table_of(Picks, table_arrays(picks)) == picks


def test_a_store_gives_back_what_was_put_and_nothing_of_a_damaged_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    truth = Truth(y=[1.0], x=[2.0], edge=[True])
    store.put_arrays("truth", "ab12", table_arrays(truth))
    found = store.arrays("truth", "ab12")
    assert found is not None
    assert table_of(Truth, found) == truth
    assert store.arrays("truth", "cd34") is None
    path = store.path("truth", "ab12")
    path.write_bytes(path.read_bytes()[:-20])
    assert store.arrays("truth", "ab12") is None
    store.put_plain("scores", "ab12", {"f1": 0.5})
    assert store.plain("scores", "ab12") == {"f1": 0.5}
    store.path("scores", "ab12").write_text('{"f1": 0.')
    assert store.plain("scores", "ab12") is None
    with pytest.raises(ValueError, match="Out of range"):
        store.put_plain("scores", "ab12", {"f1": math.nan})


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    import platform

    store = Store(tmp_path)
    left = tmp_path / "unfinished"
    left.mkdir()
    dead, foreign = left / f"{platform.node()}.4194304.abc", left / "elsewhere.1.abc"
    for file in (dead, foreign):
        file.write_bytes(b"half")
    store.tidy()
    assert (dead.exists(), foreign.exists()) == (False, True)


def record(value: float, half: float = 0.05) -> dict[str, Any]:
    return {
        "pickers": {"a": {"all": {"recall": value}}, "b": {"all": {"recall": 0.4}}},
        "intervals": {"a": {"all": {"recall": [value - half, value + half]}}, "b": {}},
        "comparisons": [],
    }


class Records(Store):
    """A store that knows scores as a function of the cell's signal-to-noise ratio."""

    def __init__(self, recall: Any, half: float) -> None:
        super().__init__(Path("/nowhere"))
        self.recall, self.half, self.asked = recall, half, []

    def plain(self, stage: str, key: str) -> dict[str, Any] | None:
        self.asked.append(float(key))
        return record(self.recall(float(key)), self.half)


class Keyed:
    """Keys of a case that stand for its value on the axis."""

    def __init__(self, value: float) -> None:
        self.scores = repr(value)


def settled(cells: Any) -> list[Case]:
    return [Case(None, Keyed(cell.levels["snr"].value)) for cell in cells]  # type: ignore[arg-type]


def searched(scale: str, **find: Any) -> Sweep:
    axes = {"snr": {"path": "noise.film.snr", "between": {"from": 0.01, "to": 1.0}, "scale": scale}}
    return Sweep.model_validate({"axes": axes, "find": {"along": "snr", "picker": "a", **find}})


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("level", [0.2, 0.5, 0.83])
def test_a_crossing_is_found_where_a_closed_form_has_it(scale: str, level: float) -> None:
    def recall(snr: float) -> float:
        return 1 / (1 + (0.1 / snr) ** 2)

    sweep = searched(scale, crosses=level, cells=14)
    store = Records(recall, half=0.0)
    cells, _, (answer,) = crossing.find(sweep, settled, store)
    # Where 1 / (1 + (0.1/s)²) is the level.
    exact = 0.1 * math.sqrt(level / (1 - level))
    assert answer["value"] == pytest.approx(exact, rel=0.02)
    assert 3 <= len(cells) <= 14
    assert [cell.number for cell in cells] == list(range(len(cells)))


def test_a_crossing_has_the_interval_in_which_noise_leaves_it() -> None:
    """A straight line of slope 1 with ±0.05 has the level within ±0.05 of the crossing."""
    store = Records(lambda snr: snr, half=0.05)
    _, _, (answer,) = crossing.find(searched("linear", crosses=0.5), settled, store)
    assert answer["value"] == pytest.approx(0.5, abs=1e-9)
    assert (answer["low"], answer["high"]) == pytest.approx((0.45, 0.55), abs=1e-9)


def test_a_search_ends_when_noise_hides_the_side() -> None:
    store = Records(lambda snr: snr, half=0.3)
    cells, _, _ = crossing.find(searched("linear", crosses=0.5, cells=20), settled, store)
    # Both ends, and the first point between, which is within 0.3 of the level.
    assert len(cells) == 3


@pytest.mark.parametrize(("level", "side"), [(1.5, "below"), (-0.5, "above")])
def test_without_a_crossing_only_the_ends_are_run(level: float, side: str) -> None:
    store = Records(lambda snr: snr, half=0.0)
    cells, _, (answer,) = crossing.find(searched("linear", crosses=level), settled, store)
    assert len(cells) == 2
    assert answer["value"] is None
    assert f"{side} {level:g} at both ends" in answer["text"]


def test_a_difference_is_that_of_the_two_named_whatever_their_order() -> None:
    both = record(0.7) | {
        "comparisons": [
            {"a": "b", "b": "a", "basis": "own thresholds", "metric": "recall", "interval": [-0.4, -0.2]}
        ]
    }
    found = crossing.excess_of(both, Find(along="snr", picker="a", metric="recall", overtakes="b"))
    assert found == pytest.approx((0.3, 0.2, 0.4))


def test_looks_grow_by_half_to_the_most() -> None:
    until = Until(at_least=6, at_most=40, picker="a", half_width=0.1)
    assert replication.looks(until) == [6, 9, 14, 21, 32, 40]


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ({"half_width": 0.051}, True),
        ({"half_width": 0.049}, False),
    ],
)
def test_an_interval_narrow_enough_answers(asked: dict[str, Any], known: bool) -> None:
    until = Until(at_most=9, picker="a", metric="recall", **asked)
    assert replication.enough(record(0.5, 0.05), until, level=0.95) is known


@pytest.mark.parametrize(("gain", "margin", "known"), [(3, 0.0, True), (0, 0.0, False), (0, 0.2, True)])
def test_a_difference_on_one_side_of_the_margin_answers(gain: int, margin: float, known: bool) -> None:
    rng = np.random.default_rng(0)
    b = rng.integers(4, 7, 12).tolist()
    a = [n + gain + int(rng.integers(-1, 2)) for n in b]
    counts = {name: {"tp": tp, "picks": [10] * 12, "truths": [10] * 12} for name, tp in (("a", a), ("b", b))}
    until = Until(at_most=9, picker="a", against="b", metric="recall", margin=margin)
    assert replication.enough({"counts": counts}, until, level=0.99) is known


def test_replicates_end_cell_by_cell() -> None:
    """Intervals of ±0.3/√n are narrow enough with 9 micrographs in one cell, and never in the other."""
    until = Until(at_least=6, at_most=20, picker="a", metric="recall", half_width=0.105)
    cells = [Cell(0, {}), Cell(1, {})]
    asked: list[tuple[int, int]] = []

    class Counted(Store):
        def plain(self, stage: str, key: str) -> dict[str, Any]:
            cell, n = map(int, key.split())
            return record(0.5, (0.3 if cell == 0 else 1.0) / math.sqrt(n))

    class Numbered:
        def __init__(self, cell: int, n: int) -> None:
            self.keys, self.numbers = self, range(n)
            self.scores = f"{cell} {n}"

    def completed(wanted: Any, n: int | None) -> Any:
        asked.extend((cell.number, n or 0) for cell in wanted)
        return [Numbered(cell.number, n or 0) for cell in wanted]

    cases, answers = replication.replicate(cells, until, completed, Counted(Path("/nowhere")))
    assert asked == [(0, 6), (1, 6), (0, 9), (1, 9), (1, 14), (1, 20)]
    assert [len(case.numbers) for case in cases] == [9, 20]
    assert [answer["known"] for answer in answers[1:]] == [True, False]
    assert answers[0]["text"] == (
        "recall of a: known to ±0.105 in 1 of 2 cells, with 9 micrographs; not in the others, with up to 20"
    )
