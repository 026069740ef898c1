"""Scores split by difficulty, and what was picked as what, against loops over rows and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simkit.core.tables import Picks, Truth
from simkit.judging.confusion import confusion
from simkit.judging.strata import BY, stratify
from simkit.matching.base import Match

LAWS = settings(max_examples=80, deadline=None)


def match_of(*pairs):
    """Return a matching of (truth row, pick row, distance)."""
    truth, pick, distance = zip(*sorted(pairs), strict=True) if pairs else ((), (), ())
    return Match(np.array(truth, np.intp), np.array(pick, np.intp), np.array(distance, float))


@st.composite
def scenes(draw, most=12):
    """Draw a truth with holes in its columns, picks, a matching, and what is judged."""
    n, m = draw(st.integers(0, most)), draw(st.integers(0, most))

    def column(values, length):
        return draw(st.lists(st.sampled_from(values), min_size=length, max_size=length))

    truth = Truth(
        **{
            "micrograph": np.array(column(["a", "b"], n), str),
            "class": np.array(column(["top", "side", ""], n), str),
            "d_prime": np.array(column([3.0, 4.0, 5.0, 20.0, np.inf, np.nan], n), float),
            "overlap": np.array(column([0.0, 0.05, 0.1, 0.11, 0.7], n), float),
            "border": np.array(column([10.0, 55.5, 870.0, 1200.0, np.nan], n), float),
            "background": np.array(column([1.01, 1.02, 1.03], n), float),
            "defocus": np.array(column([1e4, 1.2e4, np.nan], n), float),
        }
    )
    picks = Picks(
        **{
            "micrograph": np.array(column(["a", "b", "c"], m), str),
            "class": np.array(column(["top", "side", "junk"], m), str),
        }
    )
    pairs = draw(st.integers(0, min(n, m)))
    rows = zip(draw(st.permutations(range(n)))[:pairs], draw(st.permutations(range(m)))[:pairs], strict=True)
    match = match_of(*((i, j, float(draw(st.integers(0, 9)))) for i, j in rows))
    judged = np.array(column([True, True, False], n), bool), np.array(column([True, True, False], m), bool)
    return truth, picks, match, *judged


@LAWS
@given(scenes())
def test_every_judged_particle_is_in_one_stratum_of_every_column(scene):
    truth, picks, match, judged, judged_picks = scene
    strata = stratify(truth, picks, match, ignored_truth=~judged, ignored_picks=~judged_picks)
    pairs = [
        (i, j, d)
        for i, j, d in zip(match.truth, match.pick, match.distance, strict=True)
        if judged[i] and judged_picks[j]
    ]
    for by in {s.by for s in strata}:
        split = [s for s in strata if s.by == by]
        assert len(split) >= 2
        assert len({s.label for s in split}) == len(split)
        assert sum(s.truths for s in split) == judged.sum()
        assert sum(s.found for s in split) == len(pairs)
        # Squares of integers; the root and the mean round.
        total = sum(s.found * s.rmse**2 for s in split if s.found)
        assert total == pytest.approx(sum(d * d for _, _, d in pairs), abs=1e-9)
        for s in split:
            assert s.recall == s.found / s.truths
            assert s.recall_interval == pytest.approx(
                tuple(stats.binomtest(s.found, s.truths).proportion_ci(method="wilson")), abs=1e-12
            )
            assert (s.rmse is None) == (s.found == 0)


@LAWS
@given(scenes())
def test_strata_by_class_are_loops_over_rows(scene):
    truth, picks, match, judged, judged_picks = scene
    strata = stratify(truth, picks, match, ignored_truth=~judged, ignored_picks=~judged_picks, by=["class"])
    hits = {j for i, j in zip(match.truth, match.pick, strict=True) if judged[i] and judged_picks[j]}
    classes = {name for name, counts in zip(truth["class"].tolist(), judged, strict=True) if counts}
    assert [s.label for s in strata] == (
        [c or "no class" for c in sorted(classes)] if len(classes) > 1 else []
    )
    sortable = len(picks) == 0 or set(picks["class"].tolist()) & set(truth["class"].tolist())
    for s, name in zip(strata, sorted(classes), strict=False):
        mine = [j for j, c in enumerate(picks["class"].tolist()) if c == name and judged_picks[j]]
        assert s.picks == (len(mine) if sortable else None)
        right = sum(j in hits for j in mine)
        assert s.precision == (right / len(mine) if mine and sortable else None)


def ladder(**columns):
    """Return a truth of these columns, and picks on the first, third, … of its particles, 3 Å off."""
    truth = Truth(micrograph="m", **columns)
    found = range(0, len(truth), 2)
    picks = Picks(micrograph=["m"] * len(found))
    return truth, picks, match_of(*((i, j, 3.0) for j, i in enumerate(found)))


def labels_of(strata):
    return [(s.label, s.truths, s.found) for s in strata]


def test_strata_of_detectability_and_overlap():
    truth, picks, match = ladder(
        d_prime=[1, 4, 4.1, 6, 7, 9, 12, 13, np.inf, np.nan],
        overlap=[0, 0, 1e-9, 0.1, 0.1001, 0.3, 0.31, 1, 0, 0],
    )
    assert labels_of(stratify(truth, picks, match, by=["d_prime"])) == [
        ("up to 4", 2, 1),
        ("4 to 6", 2, 1),
        ("6 to 8", 1, 1),
        ("8 to 12", 2, 1),
        ("over 12", 2, 1),
        ("unknown", 1, 0),
    ]
    assert labels_of(stratify(truth, picks, match, by=["overlap"])) == [
        ("none", 4, 2),
        ("0 to 10 %", 2, 1),
        ("10 to 30 %", 2, 1),
        ("over 30 %", 2, 1),
    ]
    assert {s.rmse for s in stratify(truth, picks, match) if s.found} == {3.0}


def test_strata_are_cut_at_round_quartiles():
    truth, picks, match = ladder(border=np.linspace(3, 2011, 101), background=1 + 1e-4 * np.arange(101))
    # Quartiles 505, 1007, 1509 span 1004: two digits of that are hundreds.
    assert labels_of(stratify(truth, picks, match, by=["border"])) == [
        ("up to 500 Å", 25, 13),
        ("500 to 1000 Å", 25, 12),
        ("1000 to 1500 Å", 25, 13),
        ("over 1500 Å", 26, 13),
    ]
    # 1.0025, 1.005, 1.0075 span 0.005: ten-thousandths, so that nothing is rounded away.
    assert [s.label for s in stratify(truth, picks, match, by=["background"])] == [
        "up to 1.0025",
        "1.0025 to 1.005",
        "1.005 to 1.0075",
        "over 1.0075",
    ]


def test_defocus_is_told_in_micrometres_by_its_values_where_they_are_few():
    truth, picks, match = ladder(defocus=[12_000, 20_000, 12_000.4, 20_000, 15_000])
    found = stratify(truth, picks, match, by=["defocus"])
    assert labels_of(found) == [("1.2 µm", 2, 2), ("1.5 µm", 1, 1), ("2 µm", 2, 0)]
    many, picks, match = ladder(defocus=1e4 + 100.0 * np.arange(101))
    assert [s.label for s in stratify(many, picks, match, by=["defocus"])] == [
        "up to 1.25 µm",
        "1.25 to 1.5 µm",
        "1.5 to 1.75 µm",
        "over 1.75 µm",
    ]


def test_a_column_of_one_stratum_is_left_out():
    truth, picks, match = ladder(
        d_prime=[9, 10, np.nan], border=[5.0, 5.0, 5.0 + 1e-9], background=[np.nan] * 3, overlap=[0, 0, 0]
    )
    assert stratify(truth, picks, match) == ()
    assert stratify(Truth(), Picks(), match_of()) == ()
    split = truth.replace(border=[5.0, 50.0, 500.0])
    assert {s.by for s in stratify(split, picks, match)} == {"border"}


def test_micrographs_are_strata_only_where_they_are_few():
    for count, shown in ((5, 5), (6, 0)):
        names = np.array([f"m{i}" for i in range(count)])
        strata = stratify(Truth(micrograph=names), Picks(micrograph=names[:2]), match_of((0, 0, 1.0)))
        assert len(strata) == shown
    assert BY[-1] == "micrograph"


def test_picks_are_sorted_by_their_own_distance_to_the_border():
    truth, _, _ = ladder(border=np.repeat([100.0, 200.0, 300.0, 400.0], 25))
    picks = Picks(micrograph=["m"] * 4)
    match = match_of((0, 0, 1.0), (99, 3, 1.0))
    border = np.array([90.0, 80.0, np.nan, 500.0])
    found = stratify(truth, picks, match, by=["border"], pick_border=border)
    # Quartiles 175, 250, 325 span 150: tens, and an even digit where two are as near.
    assert [(s.label, s.picks, s.precision) for s in found] == [
        ("up to 180 Å", 2, 0.5),
        ("180 to 250 Å", 0, None),
        ("250 to 320 Å", 0, None),
        ("over 320 Å", 1, 1.0),
    ]
    assert {s.picks for s in stratify(truth, picks, match, by=["border"])} == {None}


def test_picks_are_sorted_by_the_defocus_of_their_micrograph_where_it_has_one():
    truth = Truth(micrograph=["a", "b", "b"], defocus=[1e4, 2e4, 2e4])
    picks = Picks(micrograph=["b", "b", "a"])
    match = match_of((0, 2, 1.0), (1, 1, 1.0))
    found = stratify(truth, picks, match, by=["defocus"])
    assert [(s.label, s.picks, s.precision) for s in found] == [("1 µm", 1, 1.0), ("2 µm", 2, 0.5)]
    # A micrograph of two, or one of which nothing is known: a false pick on it might belong to either.
    two = truth.replace(defocus=[1e4, 2e4, 1e4])
    assert {s.picks for s in stratify(two, picks, match, by=["defocus"])} == {None}
    elsewhere = picks.replace(micrograph=["b", "c", "a"])
    assert {s.picks for s in stratify(truth, elsewhere, match_of(), by=["defocus"])} == {None}


def test_an_incomplete_truth_has_no_precision_to_compare():
    truth = Truth(micrograph="m", **{"class": ["top", "side"]})
    picks = Picks(micrograph=["m"] * 2, **{"class": ["top", "top"]})
    found = stratify(truth, picks, match_of((0, 1, 2.0)), by=["class"], complete=False)
    assert [(s.label, s.picks, s.precision) for s in found] == [("side", 0, None), ("top", 2, None)]


@LAWS
@given(scenes())
def test_rows_of_a_confusion_sum_to_particles_and_columns_to_picks(scene):
    truth, picks, match, judged, judged_picks = scene
    found = confusion(truth, picks, match, truth_counts=judged, pick_counts=judged_picks)
    true_class = truth["class"][judged].tolist()
    picked_class = picks["class"][judged_picks].tolist()
    if len(set(true_class)) < 2 and len(set(picked_class)) < 2:
        assert found is None
        return
    assert found.truth == tuple(sorted(set(true_class)))
    assert found.picks == tuple(sorted(set(picked_class)))
    assert found.counts[:-1].sum(axis=1).tolist() == [true_class.count(name) for name in found.truth]
    assert found.counts[:, :-1].sum(axis=0).tolist() == [picked_class.count(name) for name in found.picks]
    assert found.counts[-1, -1] == 0
    expected = np.zeros((len(found.truth), len(found.picks)), int)
    for i, j in zip(match.truth, match.pick, strict=True):
        if judged[i] and judged_picks[j]:
            expected[found.truth.index(truth["class"][i]), found.picks.index(picks["class"][j])] += 1
    assert (found.counts[:-1, :-1] == expected).all()


def test_a_confusion_by_hand():
    truth = Truth(micrograph="m", **{"class": ["top", "top", "side", "side", "top"]})
    picks = Picks(micrograph="m", **{"class": ["side", "top", "junk", "side"]})
    match = match_of((0, 0, 1.0), (1, 1, 1.0), (2, 3, 1.0))
    found = confusion(truth, picks, match, truth_counts=np.ones(5, bool), pick_counts=np.ones(4, bool))
    assert (found.truth, found.picks) == (("side", "top"), ("junk", "side", "top"))
    assert found.counts.tolist() == [[0, 1, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]]
