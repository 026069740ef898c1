"""Crystals: a shift by one cell is not perfect, whoever asks only for positions."""

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.judging.crystal import Net, fit_net
from simkit.lattice._net import basis_vectors
from simkit.matching.optimal import match
from simkit.metric.base import Comparison
from simkit.metric.crystal import Crystal
from simkit.metric.detection import Detection

SQUARE = basis_vectors(a=40.0, b=40.0, gamma=90.0)
OBLIQUE = basis_vectors(a=40.0, b=52.0, gamma=71.0, rotation=13.0)
HEXAGONAL = basis_vectors(a=40.0, b=40.0, gamma=120.0, rotation=7.0)
NETS = pytest.mark.parametrize("basis", [SQUARE, OBLIQUE, HEXAGONAL], ids=["square", "oblique", "hexagonal"])
RADIUS = 10.0
SIZE = 1000.0


def crystal(basis, *, micrograph="m", name="a", radius=260.0):
    """Return a round crystal in the middle of the image: one with an edge."""
    n = np.arange(-20, 21)
    indices = np.stack(np.meshgrid(n, n), axis=-1).reshape(-1, 2)
    y, x = (indices @ basis).T + SIZE / 2
    kept = np.hypot(y - SIZE / 2, x - SIZE / 2) <= radius
    h, k = indices[kept].T
    return Truth(
        **{"micrograph": [micrograph] * len(h), "class": [name] * len(h)},
        y=y[kept],
        x=x[kept],
        h=h,
        k=k,
    )


def picks_at(truth, dy=0.0, dx=0.0, *, indices=False):
    columns = {name: truth[name] for name in ("micrograph", "class", *(("h", "k") if indices else ()))}
    return Picks(**columns, y=truth["y"] + dy, x=truth["x"] + dx)


def compare(truth, picks, radius=RADIUS):
    return Comparison(truth, picks, match(truth, picks, radius=radius), radius, {})


def score(truth, picks, radius=RADIUS):
    return Crystal().score(compare(truth, picks, radius))


@NETS
def test_a_perfect_answer_is_perfect(basis):
    truth = crystal(basis)
    assert score(truth, picks_at(truth)) == pytest.approx(
        {
            **{"registry_shift_h": 0, "registry_shift_k": 0, "registry_ambiguous": 0},
            **{"right_site": 1, "off_by_cell": 0, "occupancy_recall": 1, "vacancies_picked": 0},
            **{"cell_error": 0, "cell_a_error": 0, "cell_b_error": 0},
        },
        abs=1e-9,
    )


@NETS
@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 1), (2, -1), (2, 2)])
def test_a_shift_by_whole_cells_has_no_right_site(basis, shift):
    truth = crystal(basis)
    comparison = compare(truth, picks_at(truth, *(shift @ basis)))
    found = Crystal().score(comparison)
    assert (found["registry_shift_h"], found["registry_shift_k"]) == shift
    assert (found["right_site"], found["registry_ambiguous"]) == (0, 0)
    assert found["off_by_cell"] == len(truth)
    assert found["occupancy_recall"] == 1
    assert found["vacancies_picked"] == 0
    assert found["cell_error"] < 1e-9
    # What positions alone say: only the edge is wrong.
    assert Detection().score(comparison)["f1"] > 0.6


@NETS
def test_a_shift_is_seen_through_noise_and_misses_and_false_picks(basis):
    rng = np.random.default_rng(2)
    truth = crystal(basis)
    jitter = rng.normal(0, 1.5, (2, len(truth)))
    picks = picks_at(truth, *(np.array([1, -1]) @ basis)[:, None] + jitter)
    false = Picks(micrograph=["m"] * 20, y=rng.uniform(0, SIZE, 20), x=rng.uniform(0, SIZE, 20))
    kept = rng.random(len(truth)) < 0.8
    found = score(truth, Picks.concat([picks.take(kept), false]))
    assert (found["registry_shift_h"], found["registry_shift_k"]) == (1, -1)
    # At 6.7 σ no pick is beyond the radius; a false pick may stand on a site that was missed.
    assert kept.sum() <= found["off_by_cell"] <= kept.sum() + 20
    assert found["occupancy_recall"] == found["off_by_cell"] / len(truth)


def test_picks_off_by_less_than_a_cell_are_in_registry():
    truth = crystal(SQUARE)
    found = score(truth, picks_at(truth, 6.0, -6.0))
    assert (found["registry_shift_h"], found["registry_shift_k"], found["right_site"]) == (0, 0, 1)


@pytest.mark.parametrize("cells", [-1, 1])
def test_a_field_without_an_edge_hides_a_shift_and_that_is_said(cells):
    # The crystal covers the image; picks one cell along, those beyond the border gone.
    truth = crystal(SQUARE, radius=2000.0)
    truth = truth.take((np.abs(np.stack([truth["y"], truth["x"]]) - SIZE / 2) < SIZE / 2).all(axis=0))
    everywhere = picks_at(truth, 0.0, 40.0 * cells)
    picks = everywhere.take(np.abs(everywhere["x"] - SIZE / 2) < SIZE / 2)
    found = score(truth, picks)
    assert (found["registry_shift_h"], found["registry_shift_k"]) == (0, 0)
    assert found["registry_ambiguous"] == 1
    assert found["right_site"] == len(picks) / len(truth)
    # Picked beyond the border too, the shift is certain.
    beyond = score(truth, everywhere)
    assert (beyond["registry_shift_h"], beyond["registry_ambiguous"], beyond["right_site"]) == (cells, 0, 0)


@NETS
def test_vacancies_are_counted_inside_the_crystal_only(basis):
    whole = crystal(basis)
    at = {(int(h), int(k)): i for i, (h, k) in enumerate(zip(whole["h"], whole["k"], strict=True))}
    empty = [at[site] for site in ((0, 0), (1, 1), (-2, 1))]
    truth = whole.take(np.setdiff1d(np.arange(len(whole)), empty))
    out = np.array([[12, 0], [0, -12]]) @ basis + SIZE / 2  # on the net, beyond the crystal
    false = Picks(micrograph=["m"] * 3, y=[*out[:, 0], SIZE / 2 + 19], x=[*out[:, 1], SIZE / 2])
    found = score(truth, Picks.concat([picks_at(whole), false]))
    assert found["vacancies_picked"] == 3
    assert found["right_site"] == 1
    assert (found["registry_shift_h"], found["registry_shift_k"]) == (0, 0)
    assert score(truth, picks_at(truth))["vacancies_picked"] == 0


def test_two_picks_on_a_vacancy_are_one_vacancy_picked():
    whole = crystal(SQUARE)
    centre = (whole["h"] == 0) & (whole["k"] == 0)
    twice = Picks(micrograph=["m"] * 2, y=SIZE / 2 + np.array([0.0, 3.0]), x=[SIZE / 2] * 2)
    found = score(whole.take(~centre), Picks.concat([picks_at(whole.take(~centre)), twice]))
    assert found["vacancies_picked"] == 1


def test_a_vacancy_filled_by_another_species_is_none():
    whole = crystal(SQUARE)
    centre = (whole["h"] == 0) & (whole["k"] == 0)
    guest = whole.take(centre).replace(**{"class": "b", "h": np.nan, "k": np.nan})
    truth = Truth.concat([whole.take(~centre), guest])
    assert score(truth, picks_at(truth))["vacancies_picked"] == 0
    assert score(whole.take(~centre), picks_at(truth))["vacancies_picked"] == 1


def test_a_vacancy_is_found_under_a_shift_too():
    whole = crystal(OBLIQUE)
    centre = (whole["h"] == 0) & (whole["k"] == 0)
    found = score(whole.take(~centre), picks_at(whole, *OBLIQUE[0]))
    assert (found["registry_shift_h"], found["vacancies_picked"], found["occupancy_recall"]) == (1, 1, 1)


def test_picks_that_carry_indices_are_judged_by_them():
    truth = crystal(OBLIQUE)
    picks = picks_at(truth, indices=True)
    elsewhere = picks.replace(h=picks["h"] + 7, k=picks["k"] - 30)  # the site (0, 0) is the picker's choice
    found = score(truth, elsewhere)
    assert (found["registry_shift_h"], found["registry_shift_k"]) == (-7, 30)
    assert (found["right_site"], found["off_by_cell"], found["occupancy_recall"]) == (1, 0, 1)
    wrong = elsewhere.replace(h=np.where(np.arange(len(truth)) < 5, 99.0, elsewhere["h"]))
    found = score(truth, wrong)
    assert (found["right_site"], found["off_by_cell"]) == (1 - 5 / len(truth), 5)


def test_a_shift_means_the_same_from_positions_and_from_indices():
    # The pick meant for site (h, k) stands at (h + 1, k).
    truth = crystal(OBLIQUE)
    for indices in (False, True):
        found = score(truth, picks_at(truth, *OBLIQUE[0], indices=indices))
        assert (found["registry_shift_h"], found["registry_shift_k"]) == (1, 0)


def test_exchanged_axes_have_few_right_sites():
    truth = crystal(SQUARE)
    picks = picks_at(truth, indices=True)
    found = score(truth, picks.replace(h=picks["k"], k=picks["h"]))
    # Right are at most those on one diagonal of the crystal, where h − k is the same: 2 · 260/40 / √2.
    assert found["right_site"] <= 10 / len(truth)
    assert found["off_by_cell"] == len(truth) - round(found["right_site"] * len(truth))
    assert found["occupancy_recall"] == 1


def test_a_wrong_magnification_is_a_wrong_cell():
    truth = crystal(OBLIQUE, radius=120.0)
    y, x = (SIZE / 2 + (truth[axis] - SIZE / 2) * 1.01 for axis in ("y", "x"))
    found = score(truth, Picks(micrograph=truth["micrograph"], y=y, x=x))
    expected = {"cell_a_error": 0.40, "cell_b_error": 0.52, "cell_error": 0.52}
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_the_cell_errors_of_several_crystals_are_a_root_mean_square():
    truth = Truth.concat([crystal(OBLIQUE, micrograph=name, radius=120.0) for name in ("0", "1")])
    stretch = np.where(truth["micrograph"] == "0", 1.01, 1.0)
    y, x = (SIZE / 2 + (truth[axis] - SIZE / 2) * stretch for axis in ("y", "x"))
    found = score(truth, Picks(micrograph=truth["micrograph"], y=y, x=x))
    assert found["cell_a_error"] == pytest.approx(0.40 / np.sqrt(2), rel=1e-9)
    assert found["cell_b_error"] == pytest.approx(0.52 / np.sqrt(2), rel=1e-9)


def test_noise_moves_the_cell_by_what_least_squares_says():
    rng = np.random.default_rng(6)
    truth = crystal(SQUARE)
    h = truth["h"] - truth["h"].mean()
    errors = [
        score(truth, picks_at(truth, *rng.normal(0, 1.0, (2, len(truth)))))["cell_a_error"] for _ in range(60)
    ]
    # Each component of a scatters by σ / √Σ(h − h̄)²; the two squared, over 60, by 1/√60 of their mean.
    expected = 2 / (h**2).sum()
    assert np.mean(np.square(errors)) == pytest.approx(expected, rel=5 / np.sqrt(60))


def test_every_crystal_has_a_registry_of_its_own():
    parts = [crystal(SQUARE, micrograph=m, name=n) for m, n in (("0", "a"), ("1", "a"), ("1", "b"))]
    apart = parts[2].replace(y=parts[2]["y"] + 2 * SIZE)
    truth = Truth.concat([parts[0], parts[1], apart])
    picks = Picks.concat([picks_at(parts[0]), picks_at(parts[1], 0.0, 40.0), picks_at(apart)])
    found = score(truth, picks)
    assert found["right_site"] == pytest.approx(2 / 3)
    assert found["off_by_cell"] == len(parts[1])
    assert (found["registry_shift_h"], found["occupancy_recall"]) == (0, 1)


def test_particles_without_indices_are_no_part_of_a_crystal():
    truth = crystal(SQUARE)
    stray = Truth(**{"micrograph": ["m"] * 2, "class": ["a", "c"]}, y=[5.0, 9.0], x=[5.0, 90.0])
    found = score(Truth.concat([truth, stray]), picks_at(truth))
    assert (found["right_site"], found["occupancy_recall"]) == (1, 1)


def test_without_a_net_in_two_dimensions_there_is_nothing_to_say():
    row = crystal(SQUARE)
    row = row.take(row["k"] == 0)
    for truth in (row, Truth(micrograph=["m"], y=[0.0], x=[0.0]), Truth()):
        assert set(score(truth, picks_at(truth)).values()) == {None}
    chain = Truth(micrograph=["m"] * 3, x=[0.0, 40.0, 80.0], h=[0, 1, 2])
    picks = Picks(micrograph=["m"] * 3, x=[0.0, 40.0, 80.0])
    pairs = match(chain, picks, radius=5.0, ndim=1)
    assert set(Crystal().score(Comparison(chain, picks, pairs, 5.0, {}, ndim=1)).values()) == {None}


def test_without_picks_there_is_no_registry_and_no_right_site():
    found = score(crystal(SQUARE), Picks())
    assert found["registry_shift_h"] is None
    assert (found["right_site"], found["occupancy_recall"], found["cell_error"]) == (0, 0, None)


def test_the_nearest_site_is_found_in_a_skew_basis_too():
    rng = np.random.default_rng(9)
    skew = np.array([SQUARE[0], SQUARE[1] + 3 * SQUARE[0]])  # the square net again, by long vectors
    net = Net(np.array([3.0, 4.0]), skew)
    indices = rng.integers(-9, 9, (300, 2))
    turn, reach = rng.uniform(0, 2 * np.pi, 300), 17.0
    positions = net.sites(indices) + reach * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    np.testing.assert_array_equal(net.nearest(positions), indices)


def test_a_net_is_fitted_exactly_and_only_where_there_is_one():
    truth = crystal(OBLIQUE)
    indices, positions = (np.stack([truth[a] for a in axes], axis=1) for axes in (("h", "k"), ("y", "x")))
    net = fit_net(indices, positions)
    np.testing.assert_allclose(net.basis, OBLIQUE, rtol=1e-10)
    np.testing.assert_allclose(net.origin, [SIZE / 2] * 2, rtol=1e-12)
    assert fit_net(indices[:2], positions[:2]) is None
    assert fit_net(indices, np.ones_like(positions)) is None
