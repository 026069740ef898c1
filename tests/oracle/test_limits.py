"""Cramér–Rao limits against closed forms, dense covariance matrices and the curvature of a log-likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import xlogy
from scipy.stats import norm, poisson

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.core.vector import Vector
from simkit.psf.ctf import Ctf
from simkit.shape.base import draw
from simkit.shape.disk import Disk
from simkit.shape.gaussian import Gaussian
from simkit.shape.rectangle import Rectangle
from simkit.theory.detectability import detectability
from simkit.theory.fisher import copy_limits, derivatives_of, fisher_information, limits, whitened
from simkit.theory.lattice_limit import lattice_limit

GRID = Grid((64, 60), 2.0)
L_SHAPE = [
    Rectangle(size=Vector(y=10, x=40), centre=Vector(y=12, x=4)),
    Rectangle(size=Vector(y=30, x=10), centre=Vector(y=-8, x=-10), weight=0.7),
]
LENS = Ctf(
    voltage=300.0,
    defocus=8000.0,
    astigmatism=3000.0,
    astigmatism_angle=25.0,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
)


def spot(sigma: float, weight: float = 1.0, y: float = 0.0, x: float = 0.0) -> Gaussian:
    return Gaussian(sigma=sigma, weight=weight, centre=Vector(y=y, x=x))


def stacked(spectrum, grid, transfer=1.0, names=None):
    derivatives = derivatives_of(spectrum, grid, transfer=transfer)
    return np.stack([derivatives[name] for name in names or derivatives])


def law(grid: Grid) -> np.ndarray:
    """A smooth coloured spectrum."""
    return 0.5 + 1.0 / (0.02 + (grid.frequency_radius() * grid.pixel_size) ** 2) / 25


# --- derivatives ------------------------------------------------------------------------------------------


def moved(shapes, d):
    return [s.model_copy(update={"centre": Vector(y=s.centre.y + d[0], x=s.centre.x + d[1])}) for s in shapes]


@pytest.mark.parametrize("lens", [None, LENS], ids=["bare", "astigmatic"])
def test_derivatives_are_those_of_a_copy_drawn_elsewhere(lens: Ctf | None) -> None:
    grid = Grid((97, 95), 2.0)
    transfer = 1.0 if lens is None else lens.transfer(grid)

    def imaged(shapes, angle=20.0):
        drawn = draw(shapes, grid, angle=angle) * transfer
        return fourier.corner_to_centre(fourier.inverse(drawn, grid.shape))

    found = derivatives_of(draw(L_SHAPE, grid, angle=20.0), grid, transfer=transfer)
    assert list(found) == ["y", "x", "psi", "amplitude", "background"]
    np.testing.assert_allclose(found["amplitude"], imaged(L_SHAPE), atol=1e-12)
    scale = np.abs(found["psi"]).max()
    turned = (imaged(L_SHAPE, 20.01) - imaged(L_SHAPE, 19.99)) / 0.02
    # What lies beyond the inscribed circle of the band limit turns out of it: 5e-5 of the energy at most.
    np.testing.assert_allclose(found["psi"], turned, atol=1e-2 * scale)
    assert np.sqrt(((found["psi"] - turned) ** 2).sum()) < 3e-3 * np.sqrt((turned**2).sum())
    # Moving the copy by e⁻²π·ik·d in the image's own axes: the shapes' centres turn with the copy.
    for axis, step in (("y", (0.01, 0.0)), ("x", (0.0, 0.01))):
        ramps = [fourier.phase_ramp(grid, np.multiply(sign, step)) for sign in (1, -1)]
        spectrum = draw(L_SHAPE, grid, angle=20.0) * transfer
        ahead, behind = (
            fourier.corner_to_centre(fourier.inverse(spectrum * ramp, grid.shape)) for ramp in ramps
        )
        np.testing.assert_allclose(
            found[axis], (ahead - behind) / 0.02, atol=1e-5 * np.abs(found[axis]).max()
        )


@pytest.mark.parametrize("shape", [spot(6.0), Disk(radius=21.0), Disk(radius=6.0)])
def test_turning_a_round_copy_changes_nothing(shape) -> None:
    grid = Grid((61, 61), 2.0)
    found = derivatives_of(draw([shape], grid), grid)
    assert not found["psi"].any()
    information = fisher_information(np.stack(list(found.values())), variance=1.0)
    assert np.isnan(copy_limits(information, found).sigma_psi)


def test_in_one_dimension_there_is_neither_y_nor_psi() -> None:
    grid = Grid((81,), 2.0)
    found = derivatives_of(draw([spot(8.0, 3.0)], grid), grid)
    assert list(found) == ["x", "amplitude", "background"]
    limit = copy_limits(fisher_information(np.stack(list(found.values())), variance=4.0), found)
    # Σt² = A²√π s / pixel, Σ(∂t)² = Σt² / (2s²).
    energy = 9 * np.sqrt(np.pi) * 8 / 2
    assert limit.d_prime == pytest.approx(np.sqrt(energy / 4), rel=1e-9)
    assert limit.sigma_x == pytest.approx(8 * np.sqrt(2) / limit.d_prime, rel=1e-9)
    assert np.isnan(limit.sigma_y)
    assert np.isnan(limit.sigma_psi)


# --- information: closed forms ----------------------------------------------------------------------------


def test_a_gaussian_spot_in_white_noise() -> None:
    """d′² = A²πs²/(σ²a²) and σ_x = s√2/d′: position, amplitude and background decouple by symmetry."""
    images = stacked(draw([spot(7.0, 3.0)], GRID), GRID)
    for given_as in ({"variance": 0.25}, {"noise_spectrum": 0.25}):
        found = copy_limits(
            fisher_information(images, **given_as), ("y", "x", "psi", "amplitude", "background")
        )
        d_prime = np.sqrt(9 * np.pi * 49 / (0.25 * 4))
        # The Gaussian is cut at 8 s and sampled at 3.5 pixels a standard deviation.
        assert found.d_prime == pytest.approx(d_prime, rel=1e-9)
        assert found.sigma_y == pytest.approx(7 * np.sqrt(2) / d_prime, rel=1e-9)
        assert found.sigma_x == pytest.approx(7 * np.sqrt(2) / d_prime, rel=1e-9)


def test_a_spot_of_counted_photons() -> None:
    """Without background s/√N, over a strong one Thompson's √(8πs⁴b/(a²N²)), both limits of Mortensen's."""
    grid, photons, s = Grid((81, 81), 1.0), 500.0, 5.0
    images = stacked(draw([spot(s, photons / (2 * np.pi * s**2))], grid), grid)
    # Beyond 8 standard deviations rounding alone is left, which is no signal.
    near = np.hypot(*grid.offsets()) < 30
    lone = fisher_information(images[:2] * near, variance=np.where(near, images[3], 1.0))
    np.testing.assert_allclose(lone, np.eye(2) * photons / s**2, rtol=1e-4, atol=1e-6)
    strong = fisher_information(images[:2], variance=images[3] + 1e6)
    thompson = 8 * np.pi * s**4 * 1e6 / photons**2
    np.testing.assert_allclose(limits(strong, wanted=[0, 1]), np.eye(2) * thompson, rtol=1e-4, atol=1e-2)


def test_counted_photons_against_the_curvature_of_the_likelihood() -> None:
    """F is minus the second derivative of E[log p] = Σ μ₀ log μ(θ) − μ(θ) at the truth."""
    grid, level = Grid((41, 41), 2.0), 8.0
    transfer = np.exp(-40 * grid.frequency_radius() ** 2)

    def mean(dy, dx, amplitude, background):
        spectrum = draw(L_SHAPE, grid) * transfer * fourier.phase_ramp(grid, (dy, dx))
        copy = fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))
        return level + background + (1 + amplitude) * 4 * copy

    truth = mean(0, 0, 0, 0)

    def likelihood(theta):
        expected = mean(*theta)
        return (xlogy(truth, expected) - expected).sum()

    step = np.array([0.02, 0.02, 1e-3, 1e-3])
    curvature = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            corners = [
                si * sj * likelihood(step * (si * np.eye(4)[i] + sj * np.eye(4)[j]))
                for si in (1, -1)
                for sj in (1, -1)
            ]
            curvature[i, j] = sum(corners) / (4 * step[i] * step[j])
    images = stacked(draw(L_SHAPE, grid), grid, 4 * transfer, ("y", "x", "amplitude", "background"))
    found = fisher_information(images, variance=truth)
    # Differences of sums near 1e4 that hold 1e-12 of it, over steps squared.
    np.testing.assert_allclose(found, -curvature, rtol=1e-3, atol=1e-3 * np.abs(found).max())


@pytest.mark.parametrize(
    ("mean", "sd", "excess"),
    [(1.0, 1.0, 0.061), (2.0, 1.0, 0.020), (5.0, 2.0, 0.011), (5.0, 3.0, 0.015), (20.0, 5.0, 0.003)],
)
def test_counts_with_gaussian_noise_hold_a_little_more_than_their_variance_says(mean, sd, excess) -> None:
    """F of one pixel's mean is ∫ (∂p/∂μ)² / p, with p the Poisson mixture of Gaussians."""
    n = np.arange(int(mean + 12 * np.sqrt(mean)) + 12)
    y, width = np.linspace(-9 * sd, n[-1] + 9 * sd, 4001, retstep=True)
    spread = norm.pdf(y, n[:, None], sd)
    density = poisson.pmf(n, mean) @ spread
    # ∂/∂μ of a Poisson probability is that of one count less, less itself.
    slope = (poisson.pmf(n - 1, mean) - poisson.pmf(n, mean)) @ spread
    exact = (slope**2 / np.maximum(density, 1e-300)).sum() * width
    stated = float(fisher_information(np.ones((1, 1, 1)), variance=mean + sd**2)[0, 0])
    assert exact / stated - 1 == pytest.approx(excess, abs=1e-3)


@pytest.mark.parametrize("shape", [(12, 10), (11, 13)])
def test_coloured_noise_against_its_covariance_matrix(shape: tuple[int, int]) -> None:
    grid = Grid(shape, 1.0)
    images = stream(3, "derivatives").standard_normal((3, *shape))
    row = fourier.inverse(law(grid).astype(complex), shape)
    places = list(np.ndindex(*shape))
    covariance = np.array([[row[tuple(np.subtract(a, b))] for b in places] for a in places])
    flat = images.reshape(3, -1)
    found = fisher_information(images, noise_spectrum=law(grid))
    np.testing.assert_allclose(found, flat @ np.linalg.solve(covariance, flat.T), rtol=1e-10)
    spectrum = fourier.forward(images[0])
    assert np.sqrt(found[0, 0]) == pytest.approx(
        detectability(spectrum, noise_spectrum=law(grid), shape=shape), rel=1e-12
    )
    np.testing.assert_allclose(
        fisher_information(whitened(images, law(grid)), variance=1.0), found, rtol=1e-12
    )


def test_coloured_noise_and_counts_together_are_nearly_stationary() -> None:
    """With pixels whose variance deviates by ±20 % from its mean the information is right to 2 %."""
    grid = Grid((20, 20), 2.0)
    images = stacked(draw([spot(6.0), spot(5.0, 0.6, 5.0, 8.0)], grid), grid)[:4]
    level = 2 * (1 + 0.2 * images[3] / np.abs(images[3]).max())
    row = fourier.inverse(law(grid).astype(complex), grid.shape)
    places = list(np.ndindex(*grid.shape))
    covariance = np.array([[row[tuple(np.subtract(a, b))] for b in places] for a in places])
    flat = images.reshape(4, -1)
    exact = flat @ np.linalg.solve(covariance + np.diag(level.ravel()), flat.T)
    around = level[np.abs(images[3]) > 0.1 * np.abs(images[3]).max()].mean()
    stationary = fisher_information(images, noise_spectrum=law(grid) + around)
    sigma = [np.sqrt(np.diag(limits(f, wanted=range(3)))) for f in (exact, stationary)]
    np.testing.assert_allclose(sigma[1], sigma[0], rtol=0.02)
    # It is not stationary, and what is wrong is more than rounding.
    assert not np.allclose(sigma[1], sigma[0], rtol=1e-3)


def test_the_angle_of_two_spots() -> None:
    """Each of two spots at ±R moves by R dψ: σ_ψ = σ_x of one ÷ (R√2)."""
    grid = Grid((97, 97), 1.0)
    one = stacked(draw([spot(3.0)], grid), grid)
    pair = derivatives_of(draw([spot(3.0, y=9.0, x=16.0), spot(3.0, y=-9.0, x=-16.0)], grid), grid)
    sigma = copy_limits(fisher_information(one, variance=2.0), pair).sigma_x
    found = copy_limits(fisher_information(np.stack(list(pair.values())), variance=2.0), pair)
    # The spots are 12 standard deviations apart.
    assert np.deg2rad(found.sigma_psi) == pytest.approx(sigma / (np.hypot(9, 16) * np.sqrt(2)), rel=1e-4)
    assert found.sigma_y == pytest.approx(sigma / np.sqrt(2), rel=1e-4)


def test_a_pixel_that_is_not_seen_tells_nothing() -> None:
    images = stacked(draw(L_SHAPE, GRID), GRID)
    seen = np.ones(GRID.shape, bool)
    seen[:, :30] = False
    found = fisher_information(images, variance=np.where(seen, 0.5, np.inf))
    np.testing.assert_allclose(found, fisher_information(images * seen, variance=0.5), rtol=1e-12)


def test_exactly_one_kind_of_noise() -> None:
    for both in ({}, {"variance": 1.0, "noise_spectrum": 1.0}):
        with pytest.raises(ValueError, match="exactly one"):
            fisher_information(np.zeros((2, 4, 4)), **both)


# --- limits -----------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), p=st.integers(1, 5))
def test_nuisance_parameters_are_marginalised(seed: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    jacobian = rng.standard_normal((12, p)) * 10.0 ** rng.uniform(-6, 6, p)
    information = jacobian.T @ jacobian
    everything = limits(information, wanted=range(p))
    size = np.sqrt(np.diag(information))
    oracle = np.linalg.inv(information / np.outer(size, size)) / np.outer(size, size)
    scale = np.sqrt(np.diag(oracle))
    np.testing.assert_allclose(
        everything / np.outer(scale, scale), oracle / np.outer(scale, scale), atol=1e-8
    )
    np.testing.assert_array_equal(limits(information, wanted=[p - 1])[0, 0], everything[-1, -1])
    # What is unknown besides never helps.
    assert everything[0, 0] >= (1 - 1e-12) / information[0, 0]
    batch = limits(np.stack([information, 4 * information]), wanted=range(p))
    np.testing.assert_allclose(
        batch[1] / np.outer(scale, scale), everything / np.outer(scale, scale) / 4, atol=1e-9
    )


def test_what_has_no_information_has_no_limit() -> None:
    information = np.diag([4.0, 0.0, 25.0])
    found = limits(information, wanted=[0, 1, 2])
    np.testing.assert_allclose(np.diag(found), [0.25, np.nan, 0.04], rtol=1e-12)
    assert np.isnan(found[0, 1])


def test_what_cannot_be_told_apart_has_no_limit() -> None:
    jacobian = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1e-3]])
    found = np.diag(limits(jacobian.T @ jacobian, wanted=[0, 1, 2]))
    np.testing.assert_allclose(found, [np.nan, np.nan, 1e6], rtol=1e-9)


def test_without_noise_there_is_no_limit() -> None:
    images = stacked(draw(L_SHAPE, GRID), GRID)
    silent = np.zeros(GRID.frequency_radius().shape)
    assert np.isnan(limits(fisher_information(images, noise_spectrum=silent), wanted=[0, 1])).all()


# --- lattices ---------------------------------------------------------------------------------------------


def test_a_row_of_sites() -> None:
    """var(a) = 12 σ²/(M³ − M), var of the middle σ²/M."""
    for sites in (5, 10, 40):
        h = np.arange(sites, dtype=float)[:, None]
        found = lattice_limit(h - h.mean(), np.array([[1 / 9.0]]))
        assert found.vectors[0, 0, 0] == pytest.approx(12 * 9 / (sites**3 - sites), rel=1e-12)
        assert found.origin[0, 0] == pytest.approx(9 / sites, rel=1e-12)
        # The site of index 0 is an end of the row: its own limit is four times that of the middle.
        assert lattice_limit(h, np.array([[1 / 9.0]])).origin[0, 0] == pytest.approx(
            9 / sites * (1 + 3 * (sites - 1) / (sites + 1)), rel=1e-12
        )


def test_a_far_origin_leaves_the_vectors_known() -> None:
    h = np.arange(10.0)[:, None]
    near, far = (lattice_limit(h + offset, np.array([[1.0]])) for offset in (0.0, 1e7))
    np.testing.assert_allclose(far.vectors, near.vectors, rtol=1e-9)


def test_sites_of_unequal_worth_against_weighted_least_squares() -> None:
    """The scatter of weighted fits is the limit; 2000 fits give a variance to 3.2 %, six of them to 4 sd."""
    rng = stream(5, "sites")
    indices = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 2)
    indices = indices[rng.permutation(len(indices))[:14]].astype(float)
    spread = rng.uniform(0.5, 3.0, (14, 2, 2))
    information = np.linalg.inv(spread @ spread.transpose(0, 2, 1) + 0.1 * np.eye(2))
    found = lattice_limit(indices, information)

    design = np.kron(np.hstack([np.ones((14, 1)), indices]), np.eye(2))
    roots = np.linalg.cholesky(np.linalg.inv(information))
    weight = np.zeros((28, 28))
    for i, inverse in enumerate(information):
        weight[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = inverse
    solve = np.linalg.solve(design.T @ weight @ design, design.T @ weight)
    errors = np.einsum("sij,nsj->nsi", roots, rng.standard_normal((2000, 14, 2))).reshape(2000, 28)
    fitted = errors @ solve.T
    oracle = np.concatenate([np.diag(found.origin), *(np.diag(v) for v in found.vectors)])
    np.testing.assert_allclose(fitted.var(axis=0), oracle, rtol=0.13)


def test_sites_in_one_row_do_not_tell_the_other_vector() -> None:
    found = lattice_limit(np.array([[0.0, 2.0], [1.0, 2.0], [2.0, 2.0]]), np.eye(2))
    assert np.isfinite(found.vectors[0]).all()
    assert np.isnan(found.vectors[1]).all()
    assert np.isnan(found.origin).all()
