"""A fitted lattice as prior: nets, ranks, calibrated picks at sites, holes; and nothing without a crystal."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree
from scipy.stats import binom, chi2, poisson

from simkit.core.grid import Grid
from simkit.core.net import net_points
from simkit.core.tables import Placements
from simkit.correlation.bank import TemplateBank, standardised
from simkit.engine.output import save
from simkit.engine.pipeline import run_scenario
from simkit.indexing.net import net_through, vectors_of
from simkit.judging.crystal import in_the_truths_basis
from simkit.lattice.oblique import Oblique
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import Ncc
from simkit.scenario.loading import load
from simkit.theory.rank import Ranks
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fixed import Fixed

PIXEL = 2.0
BASIS = np.array([[12.0, 62.0], [56.0, -14.0]])
SIDE = 600.0
WHOLE = {"lower": np.zeros(2), "upper": np.full(2, SIDE)}
ROOT = Path(__file__).parents[2]


def crystal(seed: int, occupancy: float = 1.0, scatter: float = 0.0, strewn: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sites, _ = net_points(BASIS, origin=[301.0, 299.0], **WHOLE)
    there = sites[rng.random(len(sites)) < occupancy]
    moved = there + scatter * rng.standard_normal(there.shape)
    return np.vstack([moved, rng.uniform(0, SIDE, (strewn, 2))])


# ---- the net --------------------------------------------------------------------------------------------


def test_a_net_is_found_among_false_and_missing_points() -> None:
    points = crystal(1, 0.8, 2.0, strewn=12)
    basis = vectors_of(points, np.ones(len(points)), **WHOLE, step=10.0)
    net = net_through(points, basis, area=SIDE**2)
    sites, _ = net_points(BASIS, origin=[301.0, 299.0], lower=np.full(2, 30.0), upper=np.full(2, SIDE - 30))
    away = KDTree(net.within(**WHOLE).positions).query(sites)[0]
    assert away.max() < 4 * net.errors(net.nearest(sites).indices).max()
    assert net.spacing() == pytest.approx(np.linalg.norm(BASIS, axis=1).min(), rel=0.01)


def test_errors_of_sites_are_what_they_are_said_to_be() -> None:
    """χ² of 50 places, each of another crystal; it is outside its 0.1 % tails once in 500."""
    rng, total = np.random.default_rng(2), 0.0
    for seed in range(50):
        net = net_through(crystal(seed, 0.7, 2.0), BASIS, area=SIDE**2)
        sites, _ = net_points(BASIS, origin=[301.0, 299.0], **WHOLE)
        place = sites[rng.integers(len(sites))][None]
        found = net.nearest(place)
        total += float((((found.positions - place) / net.errors(found.indices)[:, None]) ** 2).sum())
    assert chi2.ppf(0.001, 100) < total < chi2.ppf(0.999, 100)


def test_several_sites_of_a_cell_are_told_apart() -> None:
    points = crystal(3, 0.8, 1.0)
    offset = np.array([20.0, 25.0])
    both = np.vstack([points, crystal(4, 0.6, 1.0) + offset])
    both = both[(both < SIDE).all(axis=1)]
    net = net_through(both, BASIS, area=SIDE**2)
    cell = np.linalg.inv(net.cell.basis)
    apart = (net.offsets[1] - np.array([offset, -offset])) @ cell
    assert len(net.offsets) == 2
    # The mean of 50 places scattered by 1 Å is known to 0.15 Å; 4 of those.
    assert np.linalg.norm((apart - np.round(apart)) @ net.cell.basis, axis=1).min() < 0.8
    assert net.spacing() == pytest.approx(np.linalg.norm(offset), abs=0.8)


@pytest.mark.parametrize("seed", range(5))
def test_strewn_points_and_two_grains_make_no_net(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strewn = rng.uniform(0, SIDE, (90, 2))
    assert vectors_of(strewn, np.ones(90), **WHOLE, step=10.0) is None
    assert net_through(strewn, BASIS, area=SIDE**2) is None
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    other, _ = net_points(BASIS @ turn, origin=[300.0, 300.0], **WHOLE)
    grains = np.vstack([crystal(seed)[crystal(seed)[:, 1] < 300], other[other[:, 1] > 310]])
    assert net_through(grains, BASIS, area=SIDE**2) is None


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 99), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_order_means_nothing_and_a_shift_shifts(seed: int, shift: tuple[float, float]) -> None:
    points = crystal(7, 0.7, 1.5, strewn=4)
    net = net_through(points, BASIS, area=SIDE**2)
    mixed = net_through(np.random.default_rng(seed).permutation(points), BASIS, area=SIDE**2)
    np.testing.assert_array_equal(net.cell.basis, mixed.cell.basis)
    np.testing.assert_array_equal(net.within(**WHOLE).positions, mixed.within(**WHOLE).positions)
    moved = net_through(points + shift, BASIS, area=SIDE**2)
    # Sums of coordinates up to 1100 round to 1e-13 of them.
    np.testing.assert_allclose(moved.cell.basis, net.cell.basis, atol=1e-9)
    places = net.within(**WHOLE).positions + shift
    np.testing.assert_allclose(moved.nearest(places).positions, places, atol=1e-8)


def test_the_site_called_zero_is_the_one_asked_for() -> None:
    net = net_through(crystal(5, 0.7, 1.0), BASIS, area=SIDE**2)
    point = np.array([120.0, 400.0])
    counted = net.counted_from(point)
    assert counted.nearest(point[None]).indices.tolist() == [[0, 0]]
    sites, same = net.within(**WHOLE), counted.within(**WHOLE)
    np.testing.assert_allclose(same.positions, sites.positions, atol=1e-9)
    np.testing.assert_allclose(counted.errors(same.indices), net.errors(sites.indices), rtol=1e-9)


# ---- ranks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_ranks_are_those_of_the_closed_form(share: float) -> None:
    """E = N e^(−u²/2): a share of it at u is E at √(u² − 2 ln share)."""
    table = Ranks.of_counts(
        lambda u: 1e4 * np.exp(-(u**2) / 2), lambda u: share * 1e4 * np.exp(-(u**2) / 2), noise_sd=3.0
    )
    u = np.linspace(1.8, 13.0, 50)
    # Linear between levels 0.04 apart.
    np.testing.assert_allclose(table.of(3 * u), 3 * np.sqrt(u**2 - 2 * np.log(share)), rtol=1e-4)
    assert [table.score(rank) for rank in table.of(3 * u)] == pytest.approx(3 * u)
    assert (np.diff(table.of(np.linspace(0, 100, 999))) > 0).all()


def test_without_noise_nothing_is_ahead() -> None:
    table = Ranks.of_counts(lambda u: 1.0, lambda u: 0.1, noise_sd=0.0)
    assert table.of(np.array([0.5, 7.0])).tolist() == [0.5, 7.0]
    assert table.score(4.0) == 4.0


# ---- the picker -----------------------------------------------------------------------------------------


def blade(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """No symmetry; about 25 px across."""
    return np.exp(-(x**2 / 40 + y**2 / 8)) - 0.6 * np.exp(-((x - 3) ** 2 + (y - 5) ** 2) / 12)


AXIS = np.arange(33) - 16
VIEW = blade(AXIS[:, None], AXIS[None, :])
BANK = TemplateBank("blade", "blade", standardised(VIEW[None]), np.zeros(1), PIXEL, 13 * PIXEL, "C1")
UNIT = 1 / np.linalg.norm(VIEW - VIEW.mean())


def paint(
    places: np.ndarray, d_prime: float, side: int = 300, noise: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Particles at places in px, of given d′ in white noise of unit variance."""
    pixels = noise * np.random.default_rng(seed).standard_normal((side, side))
    y, x = np.indices(pixels.shape)
    for cy, cx in places:
        box = tuple(slice(max(int(c) - 24, 0), int(c) + 25) for c in (cy, cx))
        pixels[box] += d_prime * UNIT * blade(y[box] - cy, x[box] - cx)
    return pixels


def sites_of(occupancy: float, side: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sites in px, and which are occupied."""
    lower, upper = np.full(2, 14.0), np.full(2, side - 15.0)
    sites, _ = net_points(BASIS / PIXEL, origin=[151.3, 148.8], lower=lower, upper=upper)
    return sites, np.random.default_rng(seed).random(len(sites)) < occupancy


def pick(pixels: np.ndarray, picker: TemplateSearch, mask: np.ndarray | None = None) -> Found:
    rng = np.random.default_rng(0)
    return picker.pick(Sight(pixels, Grid(pixels.shape, PIXEL), [BANK], None, None, mask, rng))


def filter_of(per_image: float = 1.0, lattice: str = "fitted", kind: type[TemplateSearch] = MatchedFilter):
    return kind(threshold=ExpectedFalsePicks(per_image=per_image), lattice=lattice)


def positions(table) -> np.ndarray:
    return np.stack([table["y"], table["x"]], axis=1) / PIXEL


def test_false_picks_at_empty_sites_are_as_many_as_promised() -> None:
    """Half of those that the threshold allows, for the share of the sites that is empty.

    Particles stand out, so that noise alone is picked at empty sites; the band is left once in 500.
    """
    counted, promised = 0, 0.0
    for seed in range(5):
        sites, full = sites_of(0.6, seed=seed, side=320)
        found = pick(paint(sites[full], 9.0, seed=seed, side=320), filter_of(8.0))
        at_sites = ~np.isnan(found.picks["h"])
        nearest = KDTree(sites).query(positions(found.picks))[1]
        counted += int((at_sites & ~full[nearest]).sum())
        promised += 8.0 / 2 * float((~full).sum()) / found.notes["sites"]
        assert found.expected_false == pytest.approx(8.0, rel=1e-3)
    assert poisson.ppf(0.001, promised) <= counted <= poisson.ppf(0.999, promised)


@pytest.fixture(scope="module")
def weak() -> tuple[Found, Found, np.ndarray, np.ndarray]:
    sites, full = sites_of(0.85, seed=11)
    pixels = paint(sites[full], 4.0, seed=11)
    return pick(pixels, filter_of(lattice="none")), pick(pixels, filter_of()), sites, full


def test_weak_particles_are_found_at_their_sites(weak: tuple[Found, Found, np.ndarray, np.ndarray]) -> None:
    plain, fitted, sites, full = weak

    def recall(found: Found) -> float:
        return float((KDTree(positions(found.picks)).query(sites[full])[0] < 4).mean())

    assert recall(fitted) > recall(plain) + 0.15
    scores = fitted.candidates["score"]
    assert (np.diff(scores) <= 0).all()
    assert ((scores >= fitted.threshold) == (np.arange(len(scores)) < len(fitted.picks))).all()
    on_net = ~np.isnan(fitted.picks["h"])
    flagged = np.array(["off_lattice" in flags.split() for flags in fitted.picks["flags"]])
    assert (flagged == ~on_net).all()
    assert on_net.mean() > 0.9
    # Of a particle's place at d′ = 3 in Å, 2.5 standard deviations, and half as much again for the net.
    assert KDTree(sites).query(positions(fitted.picks.take(on_net)))[0].max() < fitted.notes["site_radius"]


def test_holes_are_the_empty_sites_and_the_particles_missed(
    weak: tuple[Found, Found, np.ndarray, np.ndarray],
) -> None:
    _, fitted, sites, full = weak
    away, which = KDTree(sites).query(positions(fitted.holes))
    assert away.max() < 2
    assert len(np.unique(which)) == len(which)
    empty = ~full[which]
    assert empty.sum() >= 0.8 * (~full).sum()
    # Those with a particle are as many as were said to be missed: binomial, 4 standard deviations.
    missed = fitted.notes["holes_missed"]
    assert abs((~empty).sum() - missed) < 4 * np.sqrt(missed) + 2


def test_holes_are_exact_where_particles_stand_out() -> None:
    sites, full = sites_of(0.85, seed=3)
    pixels = paint(sites[full], 12.0, seed=3)
    inner = (np.abs(sites - 149.5) < 100).all(axis=1)
    for kind in (Ncc, Correlation):
        holes = positions(pick(pixels, filter_of(kind=kind)).holes)
        away, which = KDTree(sites).query(holes)
        assert away.max() < 1
        assert not full[which].any()
        assert set(np.flatnonzero(inner & ~full)) <= set(which.tolist())


def test_without_noise_the_lattice_gives_no_picks_but_holes() -> None:
    sites, full = sites_of(0.85, seed=3)
    pixels = paint(sites[full], 12.0, noise=0.0)
    cut = Fixed(value=6.0)
    plain, fitted = (pick(pixels, Correlation(threshold=cut, lattice=how)) for how in ("none", "fitted"))
    for column in ("y", "x", "score"):
        np.testing.assert_array_equal(fitted.picks[column], plain.picks[column])
    assert not full[KDTree(sites).query(positions(fitted.holes))[1]].any()
    assert len(fitted.holes) > 5


def test_what_is_masked_has_no_holes() -> None:
    sites, full = sites_of(0.85, seed=3)
    mask = np.ones((300, 300), bool)
    mask[:, 140:] = False
    found = pick(paint(sites[full], 12.0, seed=3), filter_of(), mask)
    assert len(found.holes) > 2
    assert found.holes["x"].max() < 140 * PIXEL
    assert found.picks["x"].max() < 140 * PIXEL


def test_a_particle_off_the_lattice_is_picked_and_flagged() -> None:
    sites, _ = sites_of(1.0)
    inner = int(np.linalg.norm(sites - 150, axis=1).argmin())
    alien = sites[inner] + [8.0, 6.0]
    sites[inner] = alien
    picker = filter_of().model_copy(update={"min_distance": 15 * PIXEL})
    found = pick(paint(sites, 12.0), picker)
    flagged = found.picks.take(["off_lattice" in flags.split() for flags in found.picks["flags"]])
    assert len(flagged) == 1
    assert np.linalg.norm(positions(flagged) - alien) < 1
    assert np.isnan(flagged["h"]).all()


@pytest.mark.parametrize("what", ["scattered", "grains", "nothing"])
def test_without_one_crystal_nothing_changes(what: str) -> None:
    rng = np.random.default_rng(6)
    turned, _ = net_points(
        BASIS[:, ::-1] / PIXEL, origin=[150.0, 150.0], lower=np.full(2, 15.0), upper=np.full(2, 285.0)
    )
    sites, _ = sites_of(1.0)
    places = {
        "scattered": rng.uniform(15, 285, (40, 2)),
        "grains": np.vstack([sites[sites[:, 0] < 140], turned[turned[:, 0] > 160]]),
        "nothing": np.zeros((0, 2)),
    }[what]
    pixels = paint(places, 9.0, seed=6)
    plain, fitted = pick(pixels, filter_of(lattice="none")), pick(pixels, filter_of())
    assert fitted.picks == plain.picks
    assert fitted.candidates == plain.candidates
    assert fitted.threshold == plain.threshold
    assert fitted.holes is None
    assert [notice.split(":")[0] for notice in fitted.notices] == [
        "no lattice was fitted, all is picked as without one"
    ]


def test_a_shift_of_the_image_shifts_picks_and_holes() -> None:
    sites, full = sites_of(0.85, seed=3)
    pixels, shift = paint(sites[full], 9.0, seed=3), np.array([10, 17])
    wide = np.zeros((2, 340, 340))
    for canvas, (dy, dx) in zip(wide, ((0, 0), shift), strict=True):
        canvas[dy : dy + 300, dx : dx + 300] = pixels
    here, there = (pick(canvas, filter_of(kind=Correlation)) for canvas in wide)
    for name in ("picks", "holes"):
        before, after = (positions(getattr(found, name)) for found in (here, there))
        assert len(before) == len(after) > 5
        # Climbed on the same pixels, whatever the search's own.
        assert KDTree(after).query(before + shift)[0].max() < 0.02


# ---- what is around it ----------------------------------------------------------------------------------


def test_a_net_may_have_vacancies() -> None:
    def placed(**more: object) -> Placements:
        lattice = Oblique.model_validate({"kind": "oblique", "a": 62.0, "b": 55.0, "gamma": 80.0, **more})
        return lattice.placements(
            grid=Grid((500, 500), 4.0),
            margin=0.0,
            periodic=False,
            rng=np.random.default_rng(1),
            occupied=Placements.at([], []),
        )

    whole, part = placed(), placed(occupancy=0.7)
    sites = set(zip(whole.h.tolist(), whole.k.tolist(), strict=True))
    assert set(zip(part.h.tolist(), part.k.tolist(), strict=True)) < sites
    # Outside the 0.1 % tails of the binomial law once in 500.
    assert binom.ppf(0.001, len(whole), 0.7) < len(part) < binom.ppf(0.999, len(whole), 0.7)


def test_claims_along_other_vectors_are_counted_along_the_truths() -> None:
    stood_on = np.array([[h, k] for h in range(5) for k in range(4)], float)
    steps = np.array([[1.0, 1.0], [0.0, 1.0]])
    says = (stood_on + 3) @ steps
    says[4] += [2, 0]  # one that is a cell off stays so
    read = in_the_truths_basis(stood_on, says) - stood_on
    assert (np.delete(read, 4, axis=0) == 3).all()
    assert (read[4] != 3).any()
    exchanged = stood_on[:, ::-1]
    assert (in_the_truths_basis(stood_on, exchanged) == exchanged).all()


def test_a_run_saves_the_holes_of_all_micrographs(tmp_path: Path) -> None:
    scenario = load(ROOT / "scenarios" / "kinds" / "picker_lattice.yaml").scenario
    fitted = {"fitted": scenario.pickers["fitted"]}
    short = {"replicates": 2, "pickers": fitted, "score": None, "expect": ()}
    result = run_scenario(scenario.model_copy(update=short), workers=1)
    save(result, tmp_path / "run", page="")
    holes = result.pickers["fitted"].holes
    text = (tmp_path / "run" / "holes" / "fitted.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [path.name for path in (tmp_path / "run" / "holes").iterdir()] == ["fitted.csv"]
    assert {row["micrograph"] for row in rows} == {"0000", "0001"}
    assert len(rows) == len(holes)
    truth, lost = result.truth, 0
    for name in ("0000", "0001"):
        mine = truth.take(truth["micrograph"] == name)
        missing = holes.take(holes["micrograph"] == name)
        lost += int((KDTree(positions(mine)).query(positions(missing))[0] < 3).sum())
    assert 0 < lost < len(rows)
