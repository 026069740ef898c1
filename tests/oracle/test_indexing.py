"""The lattice of simulated crystals is found again: cell, errors, sites, vacancies, domains, nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import binom, chi2

from simkit import simulate
from simkit.core.grid import FloatArray
from simkit.core.net import net_points, reduced
from simkit.indexing.cell import Cell, fit_cell
from simkit.indexing.lattice import FoundLattice, NoLattice, find_lattice
from simkit.indexing.output import lattice_data
from simkit.indexing.spectrum import Spots, find_spots
from simkit.indexing.spots import index_spots
from simkit.io.images import read_image
from simkit.scenario.spec import Scenario

DATA = Path(__file__).parents[3] / "shared" / "data"
SHAPE = (128, 140)
DOT = {"kind": "gaussian", "sigma": 2.0}


def micrograph(
    lattice: dict[str, Any],
    *,
    shapes: list[dict[str, Any]] | None = None,
    noise: float = 0.3,
    seed: int = 1,
    shape: tuple[int, int] = SHAPE,
    pixel_size: float = 1.0,
) -> FloatArray:
    """Simulate a crystal; lengths are Å."""
    scenario = {
        "title": "crystal",
        "schema_version": 1,
        "seed": seed,
        "image": {
            "shape": shape,
            "pixel_size": pixel_size,
            "boundary": "open",
            "model": "intensity",
            "level": 5.0,
        },
        "specimen": {
            "crystal": {"unit_cell": {"kind": "shapes", "shapes": shapes or [DOT]}, "lattice": lattice}
        },
        "noise": {"camera": {"kind": "gaussian", "sd": noise}},
    }
    return np.asarray(simulate(Scenario.model_validate(scenario)).micrograph, float)


def basis_of(a: float, b: float, gamma: float, rotation: float) -> FloatArray:
    turns = np.deg2rad([rotation, rotation + gamma])
    return np.array([[a], [b]]) * np.stack([np.sin(turns), np.cos(turns)], axis=1)


def points(basis: FloatArray, *, shape: tuple[int, int] = SHAPE) -> FloatArray:
    """List the lattice points in and around an image."""
    origin = (shape[0] / 2 + 0.3, shape[1] / 2 - 0.4)
    return net_points(basis, origin=origin, lower=np.full(2, -12.0), upper=np.array(shape) + 12.0)[0]


def listed(at: FloatArray, shape: tuple[int, int] = SHAPE) -> dict[str, Any]:
    """Return a lattice of the positions from which something is seen in the image."""
    return {"kind": "positions", "at": at[np.all((at > -6) & (at < np.array(shape) + 5), axis=1)].tolist()}


def found(image: FloatArray) -> FoundLattice:
    answer = find_lattice(image)
    assert isinstance(answer, FoundLattice), answer.reason
    return answer


def true_cell(answer: FoundLattice, basis: FloatArray) -> FloatArray:
    """Return the true net's basis that corresponds to the found one, which must be of the same net."""
    steps = np.round(answer.cell.basis @ np.linalg.inv(basis))
    assert abs(round(float(np.linalg.det(steps)))) == 1
    return steps @ basis


def deviations(answer: FoundLattice, basis: FloatArray) -> list[float]:
    """Return (found − true) / standard error of a, b and γ."""
    true = true_cell(answer, basis)
    exact = Cell(true, np.zeros(2), np.zeros((4, 4)), 0, 0.0, 0.0)
    lengths = (answer.cell.lengths() - exact.lengths()) / answer.cell.length_errors()
    return [*lengths, (answer.cell.gamma() - exact.gamma()) / answer.cell.gamma_error()]


NETS: dict[str, tuple[dict[str, Any], tuple[float, float, float]]] = {
    "oblique": ({"kind": "oblique", "a": 10.0, "b": 13.0, "gamma": 80.0}, (10.0, 13.0, 80.0)),
    "rectangular": ({"kind": "rectangular", "a": 10.0, "b": 14.0}, (10.0, 14.0, 90.0)),
    "centred rectangular": (
        {"kind": "centred", "a": 16.0, "b": 21.0},
        (13.2004, 13.2004, float(np.degrees(2 * np.arctan2(21, 16)))),
    ),
    "square": ({"kind": "square", "a": 11.0}, (11.0, 11.0, 90.0)),
    "hexagonal": ({"kind": "hexagonal", "a": 12.0}, (12.0, 12.0, 120.0)),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("rotation", [0.0, 23.0])
def test_every_net_is_found_within_its_errors(net: str, rotation: float) -> None:
    lattice, (a, b, gamma) = NETS[net]
    answer = found(micrograph({**lattice, "rotation": rotation}, seed=5))
    assert answer.net == net
    assert answer.confidence.level == "high"
    wanted, cell = sorted([a, b]), answer.cell
    # 4 standard errors: 30 comparisons exceed it in less than 1 of 500 sets.
    assert np.all(np.abs(np.sort(cell.lengths()) - wanted) < 4 * cell.length_errors() + 1e-3)
    assert min(abs(cell.gamma() - gamma), abs(cell.gamma() - 180 + gamma)) < 4 * cell.gamma_error() + 1e-3
    # Gauss–Lagrange: no vector of the net is shorter, and the error is small against the cell.
    assert np.allclose(
        np.sort(cell.lengths()), np.sort(np.linalg.norm(reduced(cell.basis), axis=1)), rtol=1e-2
    )
    assert cell.length_errors().max() < 0.02


@pytest.mark.parametrize(("a", "noise"), [(5.0, 0.1), (9.0, 0.3), (17.0, 0.3), (28.0, 0.3)])
def test_cells_of_a_few_to_many_pixels(a: float, noise: float) -> None:
    basis = basis_of(a, 1.07 * a, 97.0, 31.0)
    sigma = min(0.22 * a, 3.0)
    image = micrograph(
        {"kind": "oblique", "a": a, "b": 1.07 * a, "gamma": 97.0, "rotation": 31.0},
        shapes=[{"kind": "gaussian", "sigma": sigma}],
        noise=noise,
        shape=(190, 200),
    )
    assert np.abs(deviations(found(image), basis)).max() < 4


def spread(images: list[FloatArray], bases: list[FloatArray]) -> tuple[FloatArray, int]:
    z = np.array([deviations(found(i), b) for i, b in zip(images, bases, strict=True)])
    return z, len(z)


def crystals(count: int, displace: Any, *, noise: float) -> tuple[list[FloatArray], list[FloatArray]]:
    """Simulate crystals of random direction whose sites a function displaces."""
    images, bases = [], []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        basis = basis_of(12.0, 10.0, 80.0, rng.uniform(0, 180))
        at = points(basis)
        images.append(micrograph(listed(at + displace(at, rng)), noise=noise, seed=seed))
        bases.append(basis)
    return images, bases


@pytest.mark.parametrize(
    ("noise", "jitter"), [(0.3, 0.0), (0.1, 0.5)], ids=["camera noise", "thermal displacement"]
)
def test_standard_errors_are_honest(noise: float, jitter: float) -> None:
    z, n = spread(*crystals(20, lambda at, rng: jitter * rng.normal(size=at.shape), noise=noise))
    # Σz² of each quantity follows χ² with n degrees of freedom; two-sided, 1e-3 for each of the three,
    # the lower side with room for the errors being rounded up where residuals seem correlated.
    assert np.all((z**2).sum(axis=0) < chi2.isf(1e-3, n))
    assert np.all((z**2).sum(axis=0) > 0.7 * chi2.ppf(1e-3, n))
    assert np.all(np.abs(z.mean(axis=0)) < 3.3 / np.sqrt(n))


def test_a_smooth_distortion_widens_the_errors_honestly() -> None:
    def bent(at: FloatArray, rng: np.random.Generator) -> FloatArray:
        field = ndimage.gaussian_filter(rng.normal(size=(2, 300, 300)), (0, 16, 16))
        return np.stack([ndimage.map_coordinates(f * (0.5 / field.std()), at.T + 80) for f in field], axis=1)

    z, n = spread(*crystals(16, bent, noise=0.1))
    # Neighbours within some 20 pixels move together, 12 cells across the image. As if independent, the
    # errors would be three times too small and Σz² nine times too large; they come out a little large.
    assert np.all((z**2).sum(axis=0) < chi2.isf(1e-3, n))
    assert np.all((z**2).sum(axis=0) > 0.1 * n)


def test_correlated_residuals_count_for_fewer_sites() -> None:
    rng = np.random.default_rng(3)
    h, k = (g.ravel() for g in np.meshgrid(np.arange(30), np.arange(30), indexing="ij"))
    indices = np.stack([h, k], axis=1).astype(float)
    ideal = indices @ basis_of(10, 12, 85, 0)
    alone = fit_cell(indices, ideal + rng.normal(size=ideal.shape))
    # The mean of 3 × 3 independent values: Σ ρ = 9 by hand.
    together = ndimage.uniform_filter(rng.normal(size=(30, 30, 2)), (3, 3, 1), mode="wrap").reshape(-1, 2)
    shared = fit_cell(indices, ideal + together)
    assert alone.independent > 0.8 * 900
    # The sum of the measured ρ scatters by about a tenth here.
    assert 900 / 9 * 0.7 < shared.independent < 900 / 9 * 1.4


def two_sites(difference: float) -> list[dict[str, Any]]:
    return [
        {**DOT, "centre": [0.0, -5.5]},
        {**DOT, "centre": [0.0, 5.5], "weight": 1.0 - difference},
    ]


def test_harmonics_are_not_mistaken_for_the_cell() -> None:
    lattice = {"kind": "rectangular", "a": 22.0, "b": 15.0}
    # Two columns half a cell apart, 30 % different: odd orders hold 3 % of the even ones' power.
    unequal = found(micrograph(lattice, shapes=two_sites(0.3), shape=(200, 220)))
    assert np.allclose(unequal.cell.lengths(), [15, 22], atol=0.1)
    # Exactly alike, the cell is half as long, and its multiple is not taken for it.
    equal = found(micrograph(lattice, shapes=two_sites(0.0), shape=(200, 220)))
    assert np.allclose(equal.cell.lengths(), [11, 15], atol=0.1)


def spots_at(steps: FloatArray, *, snr: float = 400.0) -> Spots:
    n = len(steps)
    return Spots(steps, np.linspace(2, 1, n), np.full(n, snr), np.full(n, 0.67 / np.sqrt(snr)))


def orders(star: FloatArray, shift: tuple[float, float] = (0.0, 0.0), most: int = 3) -> FloatArray:
    """List the reciprocal points h + shift₀, k + shift₁ of half a plane, nearest first."""
    span = np.arange(-most, most + 1)
    hk = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2) + shift
    steps = hk @ star
    steps = steps[(steps[:, 1] > 0.1) | ((np.abs(steps[:, 1]) <= 0.1) & (steps[:, 0] > 0.1))]
    return steps[np.argsort(np.linalg.norm(steps, axis=1))]


@pytest.mark.parametrize(
    ("shift", "index"), [((0.5, 0.0), 2), ((1 / 3, 1 / 3), 3), ((0.42, 0.95), 1), ((0.5, 0.31), 1)]
)
def test_one_superlattice_spot_is_enough_and_one_astray_is_left(
    shift: tuple[float, float], index: int
) -> None:
    star = np.array([[21.0, 2.0], [-3.0, 17.0]])
    scatter = 0.03 * np.random.default_rng(0).normal(size=(24, 2))
    steps = np.concatenate([orders(star), orders(star, shift)[:1]])
    answer = index_spots(spots_at(steps + np.resize(scatter, steps.shape)))
    assert answer is not None
    # A spot at half or a third of the cell makes the cell two or three times as large; one elsewhere, as the
    # ghosts of the perovskite's scan are, does not.
    area = abs(np.linalg.det(star)) / abs(np.linalg.det(answer.basis))
    assert area == pytest.approx(index, rel=0.02)
    assert answer.explained[-1] == (index > 1)


def test_a_motif_without_first_orders_keeps_its_cell() -> None:
    # Points at 0 and 1/3 of a 30 Å cell and three half as strong make the third order outshine the first.
    shapes = [{**DOT, "centre": [0.0, x], "weight": w} for x, w in ((-10.0, 1.0), (0.0, 1.0), (10.0, 0.6))]
    answer = found(micrograph({"kind": "rectangular", "a": 30.0, "b": 14.0}, shapes=shapes, shape=(200, 240)))
    assert np.allclose(answer.cell.lengths(), [14, 30], atol=0.1)
    strongest = answer.reciprocal.indices[
        np.argmax(answer.spots.power * (answer.reciprocal.indices[:, 0] == 0))
    ]
    assert abs(strongest[1]) == 3


def test_vacancies_are_told_from_columns_and_from_the_border() -> None:
    shape = (256, 256)
    missed = told = false = whole = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        at = points(basis_of(13.0, 16.0, 100.0, 10.0 * seed), shape=shape)
        gone = rng.random(len(at)) < 0.06
        sites = found(micrograph(listed(at[~gone], shape), noise=0.2, seed=seed, shape=shape)).sites
        inside = np.all((at > 12) & (at < 243), axis=1)
        place = np.stack([sites["y"], sites["x"]], axis=1)
        nearest = np.linalg.norm(at[inside][:, None] - place[None], axis=2).argmin(axis=1)
        vacant = sites["vacant"][nearest]
        told += int(vacant[gone[inside]].sum())
        missed += int((~vacant[gone[inside]]).sum())
        false += int(vacant[~gone[inside]].sum())
        whole += len(sites)
        assert not (sites["vacant"] & sites["edge"]).any()
    # A column stands 20 standard deviations above nothing here; a few holes are clusters, not vacancies.
    assert told > 0.95 * (told + missed)
    # 1e-4 are expected in three images.
    assert false == 0
    assert told > 40


def test_noisy_heights_make_no_vacancies() -> None:
    answers = [found(micrograph({"kind": "square", "a": 12.0}, noise=n, seed=4)) for n in (0.3, 1.5)]
    assert [int(answer.sites["vacant"].sum()) for answer in answers] == [0, 0]
    assert [answer.resolved for answer in answers] == [True, False]


def test_every_site_has_its_indices_and_displacement() -> None:
    basis = basis_of(13.0, 16.0, 95.0, 20.0)
    at = points(basis, shape=(200, 200))
    rng = np.random.default_rng(0)
    moved = at + 0.4 * rng.normal(size=at.shape)
    answer = found(micrograph(listed(moved, (200, 200)), noise=0.02, shape=(200, 200)))
    sites, cell = answer.sites, answer.cell
    place = np.stack([sites["y"], sites["x"]], axis=1)
    away = np.stack([sites["dy"], sites["dx"]], axis=1)
    lattice = cell.origin + np.stack([sites["h"], sites["k"]], axis=1) @ cell.basis
    known = np.isfinite(away[:, 0])
    assert np.allclose(lattice[known] + away[known], place[known], atol=1e-9)
    distance = np.linalg.norm(place[known][:, None] - moved, axis=2).min(axis=1)
    # Noise limits a Gaussian of σ 2 px and height 1 to √(2/π)·0.02 px on an axis; the rest is that a
    # neighbour 13 px away is displaced as well.
    assert np.sqrt((distance**2).mean()) < 0.1
    inside = np.all((at > 10) & (at < 189), axis=1)
    assert known.sum() >= inside.sum()
    assert len({*zip(sites["h"].tolist(), sites["k"].tolist(), strict=True)}) == len(sites)


def test_the_distortion_map_is_the_strain_that_was_put_in() -> None:
    # A bump in x that only depends on y shears: ∂u_x/∂y is all there is.
    shape = (240, 240)
    at = points(basis_of(12.0, 12.0, 90.0, 0.0), shape=shape)
    wave = 2 * np.pi / 160
    bent = at + np.stack([0 * at[:, 0], 1.5 * np.sin(wave * at[:, 0])], axis=1)
    sites = found(micrograph(listed(bent, shape), noise=0.05, shape=shape)).sites
    known = np.isfinite(sites["exy"]) & (np.abs(sites["y"] - 120) < 70)
    expected = 1.5 * wave * np.cos(wave * sites["y"])
    # The smooth sine keeps exp(−(2π·18/160)²/2) = 0.78 of its height; the fitted cell takes a straight part.
    slope = np.polyfit(expected[known], 2 * sites["exy"][known], 1)[0]
    assert 0.65 < slope < 0.9
    assert np.corrcoef(expected[known], 2 * sites["exy"][known])[0, 1] > 0.97
    # u_x(y) turns +x nowhere and +y towards −x: the rotation is −½ ∂u_x/∂y.
    turn = np.polyfit(np.degrees(expected[known]) / 2, sites["turn"][known], 1)[0]
    assert -0.9 < turn < -0.65
    assert np.nanstd(sites["exx"]) < 0.2 * np.nanstd(sites["exy"])


def test_two_domains_are_said_and_how_far_they_are_turned() -> None:
    shape = (220, 260)
    parts = []
    for rotation, left in ((7.0, True), (24.0, False)):
        at = points(basis_of(13.0, 16.0, 90.0, rotation), shape=shape)
        parts.append(at[(at[:, 1] < 130) == left])
    answer = found(micrograph(listed(np.concatenate(parts), shape), shape=shape))
    assert answer.confidence.level == "low"
    said = re.search(r"second orientation, ([\d.]+)° away", " ".join(answer.confidence.reasons))
    assert said is not None
    # Each direction of half an image with 12 cells across is good to some 0.1°.
    assert float(said[1]) == pytest.approx(17.0, abs=0.5)
    assert 0.3 < answer.confidence.explained < 0.7
    assert 0.3 < answer.confidence.covered < 0.7
    # What is measured is one of the domains, not something between them.
    direction = answer.cell.direction() % 90
    assert min(abs(direction - 7), abs(direction - 24)) < 0.5


def test_a_small_crystal_is_covered_in_part_and_has_no_vacancies_around() -> None:
    at = points(basis_of(13.0, 16.0, 80.0, 7.0), shape=(256, 256))
    at = at[np.hypot(*(at - 128).T) < 90]
    answer = found(micrograph(listed(at, (256, 256)), noise=0.2, shape=(256, 256)))
    # π 90² of the 236² that are measured.
    assert answer.confidence.covered == pytest.approx(np.pi * 90**2 / 236**2, abs=0.08)
    assert answer.sites["vacant"].sum() <= 3


NOISES = {
    "white": lambda rng: rng.normal(size=(64, 64)),
    "blurred": lambda rng: (
        20 * ndimage.gaussian_filter(rng.normal(size=(96, 80)), 2) + 0.2 * rng.normal(size=(96, 80))
    ),
    "scan lines": lambda rng: rng.normal(size=(80, 80)) + 2 * rng.normal(size=(80, 1)),
    "uneven light": lambda rng: rng.normal(size=(72, 72)) + 50 * np.linspace(-1, 2, 72)[:, None] ** 2,
}


RATES = {"scan lines": 0.2}
"""Share of images with a false spot; 0.02 where not said. A streak's own background rests on few steps."""


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_no_lattice(kind: str) -> None:
    images = [NOISES[kind](np.random.default_rng(seed)) for seed in range(60)]
    spots = [len(find_spots(image)) for image in images]
    # A lattice takes two false spots at least, where one in some 70 images has one (scan lines: one in
    # 6): a false lattice in one of these sets has a probability of less than 2 %.
    suspects = [image for image, n in zip(images, spots, strict=True) if n > 1]
    answers = [find_lattice(image) for image in suspects]
    assert not any(isinstance(a, FoundLattice) and a.confidence.level == "high" for a in answers)
    # Exceeded by chance once in 10,000 sets.
    assert sum(n > 0 for n in spots) <= binom.isf(1e-4, len(images), RATES.get(kind, 0.02))


def test_what_is_no_lattice_is_said() -> None:
    x = np.arange(128.0)
    fringes = np.cos(2 * np.pi * x / 8.5) + 0.1 * np.random.default_rng(0).normal(size=(100, 128))
    cases = {
        "fringes": fringes,
        "rises above its background": np.random.default_rng(1).normal(size=(64, 64)),
        "the same": np.full((50, 50), 3.0),
        "smaller than": np.zeros((20, 200)),
    }
    for words, image in cases.items():
        answer = find_lattice(image)
        assert isinstance(answer, NoLattice)
        assert words in answer.reason
    answer = find_lattice(fringes)
    assert isinstance(answer, NoLattice)
    assert "8.498 pixels apart" in answer.reason


@settings(max_examples=6, deadline=None)
@given(
    ratio=st.floats(1.1, 1.4),
    gamma=st.floats(76, 104),
    rotation=st.floats(0, 180),
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
)
def test_turned_and_mirrored_images_give_the_same_cell(
    ratio: float, gamma: float, rotation: float, turns: int, mirrored: bool
) -> None:
    lattice = {"kind": "oblique", "a": 11.0, "b": 11.0 * ratio, "gamma": gamma, "rotation": rotation}
    image = micrograph(lattice)
    one = found(image)
    other = found(np.rot90(image.T if mirrored else image, turns))
    # The same pixels: only the 0.5 px grid on which the column is first looked for differs.
    assert np.allclose(one.cell.lengths(), other.cell.lengths(), atol=0.3 * one.cell.length_errors().max())
    angles = {round(one.cell.gamma(), 1), round(180 - one.cell.gamma(), 1)}
    assert min(abs(other.cell.gamma() - g) for g in angles) < 0.3 * one.cell.gamma_error() + 0.06


@pytest.mark.parametrize("factor", [1e-9, -3.0, 1e12])
def test_the_grey_scale_does_not_matter(factor: float) -> None:
    image = micrograph({"kind": "square", "a": 12.0})
    one, other = found(image), found(factor * image + 7 * factor)
    assert np.allclose(one.cell.basis, other.cell.basis, atol=1e-6)
    assert other.motif.polarity == (1 if factor > 0 else -1)


def test_lengths_follow_the_pixel_size() -> None:
    lattice = {"kind": "oblique", "a": 20.0, "b": 24.0, "gamma": 100.0, "rotation": 12.0}
    cells = []
    for pixel_size in (1.0, 1.6):
        shape = (round(240 / pixel_size), round(250 / pixel_size))
        image = micrograph(
            lattice, shapes=[{"kind": "gaussian", "sigma": 4.0}], shape=shape, pixel_size=pixel_size
        )
        data = lattice_data(found(image), name="x", shape=shape, pixel_size=pixel_size)
        cells.append([data["cell"][name]["value"] for name in ("a", "b", "gamma")])
        assert np.abs(np.array(cells[-1]) - [20, 24, 100]).max() < 0.2
    halved = lattice_data(found(image), name="x", shape=shape, pixel_size=0.8)["cell"]
    assert halved["a"]["value"] == pytest.approx(cells[-1][0] / 2)
    assert halved["gamma"]["value"] == pytest.approx(cells[-1][2])


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="the measured micrographs are not beside the repository")
def test_the_perovskite() -> None:
    image = read_image(DATA / "crystal" / "perovskite_110_ADF.hdf5")
    answer = found(image.pixels)
    data = lattice_data(answer, name="perovskite", shape=image.pixels.shape, pixel_size=0.0932627)
    cell = data["cell"]
    # 2.748 × 3.898 Å at 90° is the nominal cell. Along x the image itself shows 3.912: the centroids of its
    # columns agree with that. Scans are rarely true to better than half a per cent.
    assert cell["a"]["value"] == pytest.approx(2.748, rel=0.005)
    assert cell["b"]["value"] == pytest.approx(3.898, rel=0.005)
    assert abs(cell["gamma"]["value"] - 90) < 3 * cell["gamma"]["standard_error"]
    assert answer.net == "rectangular"
    assert answer.confidence.level == "high"
    assert len(answer.sites) == 117
    assert not answer.sites["vacant"].any()


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="the measured micrographs are not beside the repository")
def test_scattered_particles_have_no_lattice() -> None:
    assert isinstance(find_lattice(read_image(DATA / "hemocyanin" / "KLH.tif").pixels), NoLattice)


@pytest.mark.parametrize("levels", [None, 256])
@pytest.mark.parametrize("lean", [0.1, 0.17, 0.2])
def test_a_net_of_two_waves_without_noise_is_that_net_and_not_a_multiple(
    levels: int | None, lean: float
) -> None:
    # The background's steps beside an axis, on which the lesser leans nearly lie, make no second top of a
    # spot, and the harmonics of 256 grey values are no spots of a supercell.
    y, x = np.mgrid[:256, :256]
    image = np.cos(2 * np.pi * x / 20.3) + np.cos(2 * np.pi * (y + lean * x) / 17.7)
    if levels is not None:
        image = np.round((image + 2) / 4 * (levels - 1))
    found = find_lattice(image)
    assert isinstance(found, FoundLattice)
    # Rows of the reciprocal basis are (0, 1/20.3) and (1/17.7, lean/17.7): a = 17.7 along y, and b reaches
    # 20.3 along x while it falls by `lean` of that.
    assert found.cell.lengths() == pytest.approx((17.7, 20.3 * np.hypot(1, lean)), abs=1e-3)
