"""What a pick says of itself against what it is: the share that is false, the error, the bias.

    python tests/benchmarks/promises.py [--lists 4] [--images 2] [--only lists errors boxes]

Lists: particles of d′ 3 to 9, cut by the rate of false discoveries. A pick is false if no particle is
within half a radius of it that has no better pick; `beside` are those nearer than a diameter to a particle,
picked in a wrong place, `noise` the others. ± is two standard errors.

Errors: three templates in three kinds of noise, whose spectrum the matched filter estimates; root mean
squares of y, x and ψ over the picks within five standard deviations of the Cramér–Rao limit on every axis, as
`efficiency` has it. ÷ bound: that limit. Theory: ÷ bound of the likeliest place by the next order in
1/d′ [1]_, which no estimator is below. ÷ efficient: a step of Fisher's scoring from the truth in the same
noise, which no picker can make but which is at the bound, so that chance drops out. ÷ σ: what the pick itself
predicts. Counted noise has 10 counts a pixel, and more under the particles.

Boxes: the mean error in px ± its standard error, in a box of odd and of even side.

.. [1] Amari, Differential-Geometrical Methods in Statistics (1985), theorem 4.4.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation.bank import TemplateBank, standardised
from simkit.picker import FAMILY
from simkit.picker.base import Found, Picker, Sight
from simkit.theory.fisher import whitened

PIXEL = 2.0
SUPPORT = 15.0
"""Radius of all particles, px."""

PITCH, ROWS = 64, 14
BOX = 41
COUNTS = 10.0
STEP, COARSE_STEP = 1e-3, 1e-2
"""Of numerical first and second derivatives, px and degrees."""

UNIT = np.array([PIXEL, PIXEL, 1.0])
"""Å and degrees for px and degrees."""

EVERY = 28
"""Of so many particles, one tells the theory of all."""

FAR = 5.0
"""Standard deviations of the limit beyond which a pick is an outlier."""


def edge(d: np.ndarray, sharpness: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(sharpness * d, -50, 50)))


def hammer(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """A handle and a head to one side of it, all soft."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    handle = np.exp(-((along + 2) ** 2 / 60 + across**2 / 6))
    return handle + 1.3 * np.exp(-((along - 6) ** 2 / 10 + (across - 3) ** 2 / 30))


def ring(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """Five lobes on a ring."""
    radius = np.hypot(y, x)
    lobes = 1 + 0.6 * np.cos(5 * (np.arctan2(y, x) - np.deg2rad(psi)))
    return np.exp(-(((radius - 10) / 2.5) ** 2)) * lobes


def barrel(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """Sharp walls and one bright floor."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    body = edge(np.abs(across) - 10, 2.0) * edge(np.abs(along) - 12, 2.0)
    walls = 0.8 * np.exp(-(((np.abs(across) - 8) / 2) ** 2)) + 0.7 * np.exp(-(((along - 6) / 3) ** 2))
    return body * (1 + walls)


SHAPES = {"hammer": (hammer, 1), "ring": (ring, 5), "barrel": (barrel, 1)}
NOISES = ("white", "coloured", "counted")


def bank(name: str, step: float, side: int = BOX) -> TemplateBank:
    shape, fold = SHAPES[name]
    angles = np.arange(0, 360 / fold, step / fold)
    axis = np.arange(side) - side // 2
    views = np.stack([shape(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank(name, name, standardised(views), angles, PIXEL, SUPPORT * PIXEL, f"C{fold}")


def power_of(noise: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the noise variance per pixel at each frequency."""
    k = Grid(shape, 1.0).frequency_radius()
    if noise == "coloured":
        return 0.3 + 4 * np.exp(-((k / 0.08) ** 2))
    return np.full(k.shape, COUNTS if noise == "counted" else 1.0)


@dataclass(frozen=True)
class Cell:
    """One particle: the corner of its cell, its (y, x, ψ) in it, and its height."""

    corner: np.ndarray
    at: np.ndarray
    height: float

    @property
    def truth(self) -> np.ndarray:
        return np.array([*(self.corner + self.at[:2]), self.at[2]])


def scene(
    name: str, noise: str, d_prime: tuple[float, float], rng: np.random.Generator, rows: int = ROWS
) -> tuple[np.ndarray, list[Cell]]:
    """Return an image with one particle in every cell, anywhere in its middle."""
    shape, axis = SHAPES[name][0], np.arange(PITCH)
    near, cells = power_of(noise, (PITCH, PITCH)), []
    for corner in PITCH * np.indices((rows, rows)).reshape(2, -1).T:
        at = np.array([*(PITCH / 2 + rng.uniform(-12, 12, 2)), rng.uniform(0, 360)])
        alone = shape(axis[:, None] - at[0], axis[None, :] - at[1], at[2])
        norm = np.sqrt((whitened((alone - alone.mean())[None], near) ** 2).sum())
        cells.append(Cell(corner, at, rng.uniform(*d_prime) / norm))
    side = rows * PITCH
    image = np.zeros((side, side))
    for cell in cells:
        image[inside(cell)] += copy(name, cell)(*cell.at)
    if noise == "counted":
        return rng.poisson(COUNTS + image).astype(float), cells
    white = fourier.forward(rng.standard_normal(image.shape))
    return image + fourier.inverse(white * np.sqrt(power_of(noise, image.shape)), image.shape), cells


def inside(cell: Cell) -> tuple[slice, ...]:
    return tuple(slice(c, c + PITCH) for c in cell.corner)


def copy(name: str, cell: Cell) -> Callable[[float, float, float], np.ndarray]:
    shape, axis = SHAPES[name][0], np.arange(PITCH)
    return lambda y, x, psi: cell.height * shape(axis[:, None] - y, axis[None, :] - x, psi)


def look(image: np.ndarray, noise: str, sought: TemplateBank) -> Sight:
    grid = Grid(image.shape, PIXEL)
    return Sight(image, grid, [sought], None, power_of(noise, image.shape), None, stream(0), 2)


def made(kind: str, **fields: object) -> Picker:
    return FAMILY.kind(kind).model_validate(fields)


def places(found: Found) -> np.ndarray:
    picks = found.picks
    return np.stack([picks["y"], picks["x"]], axis=1).reshape(-1, 2) / PIXEL


def weighing(name: str, noise: str, cell: Cell) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns images into rows in which the cell's noise is white."""
    if noise == "counted":
        sd = np.sqrt(COUNTS + copy(name, cell)(*cell.at))
        return lambda images: (images / sd).reshape(len(images), -1)
    power = power_of(noise, (PITCH, PITCH))
    return lambda images: whitened(images, power).reshape(len(images), -1)


def efficient(name: str, noise: str, cell: Cell, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the error of a step of Fisher's scoring from the truth, and the limits' standard deviations."""
    drawn = copy(name, cell)
    steps = STEP * np.eye(3)
    slopes = [(drawn(*(cell.at + e)) - drawn(*(cell.at - e))) / (2 * STEP) for e in steps]
    left = image[inside(cell)] - drawn(*cell.at) - (COUNTS if noise == "counted" else 0)
    *rows, rest = weighing(name, noise, cell)(np.stack([*slopes, drawn(*cell.at), np.ones(left.shape), left]))
    information = np.array(rows) @ np.array(rows).T
    deviation = np.sqrt(np.diag(np.linalg.inv(information)))
    return np.linalg.solve(information, np.array(rows) @ rest)[:3] * UNIT, deviation[:3] * UNIT


def next_order(name: str, noise: str, cell: Cell) -> np.ndarray:
    """Return the deviations of the likeliest y, x, ψ over the limits', to the next order in 1/d′.

    The covariance is g⁻¹ + g⁻¹ H g⁻¹ + Γ: H is how the tangents of the model turn out of its tangent space,
    Γ how they turn within.
    """
    drawn, weigh = copy(name, cell), weighing(name, noise, cell)
    e = COARSE_STEP * np.eye(3)
    tangents = [(drawn(*(cell.at + d)) - drawn(*(cell.at - d))) / (2 * COARSE_STEP) for d in e]
    rows = weigh(np.stack([*tangents, drawn(*cell.at), np.ones((PITCH, PITCH))]))
    turns = np.zeros((5, 5, rows.shape[1]))
    for i, j in itertools.product(range(3), repeat=2):
        corners = [a * b * drawn(*(cell.at + a * e[i] + b * e[j])) for a in (1, -1) for b in (1, -1)]
        turns[i, j] = weigh(sum(corners)[None] / (4 * COARSE_STEP**2))[0]
    # A brighter copy's tangents are longer.
    turns[:3, 3] = turns[3, :3] = rows[:3]
    inverse = np.linalg.inv(rows @ rows.T)
    within = np.einsum("abx,dx,dc->abc", turns, rows, inverse)
    out = turns - np.einsum("abc,cx->abx", within, rows)
    bent = np.einsum("acx,bdx,cd->ab", out, out, inverse)
    named = np.einsum("abk,cdl,ac,bd->kl", within, within, inverse, inverse) / 2
    return np.sqrt(1 + np.diag(inverse @ bent @ inverse + named) / np.diag(inverse))[:3]


def errors(name: str, found: Found, cells: list[Cell]) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of y, x (Å) and ψ (°) of the pick nearest every particle, and what it says of them."""
    period = 360 / SHAPES[name][1]
    truth = np.array([cell.truth for cell in cells])
    row = KDTree(places(found)).query(truth[:, :2])[1]
    picks = found.picks
    turn = (picks["psi"][row] - truth[:, 2] + period / 2) % period - period / 2
    error = np.stack([*(PIXEL * (places(found)[row] - truth[:, :2])).T, turn], axis=1)
    return error, np.stack([picks[f"sigma_{axis}"][row] for axis in ("y", "x", "psi")], axis=1)


@dataclass(frozen=True)
class Measured:
    """Rows of y, x, ψ for the particles of some images: errors, σ, the efficient ones, limits, theory."""

    error: np.ndarray
    sigma: np.ndarray
    best: np.ndarray
    limit: np.ndarray
    theory: np.ndarray

    @property
    def near(self) -> np.ndarray:
        return (np.abs(self.error / self.limit) < FAR).all(axis=1)

    def over(self, other: np.ndarray) -> np.ndarray:
        """Return the root mean square of the errors over that of others."""
        return np.sqrt((self.error[self.near] ** 2).mean(axis=0) / (other[self.near] ** 2).mean(axis=0))

    @property
    def over_sigma(self) -> np.ndarray:
        return np.sqrt(np.nanmean((self.error / self.sigma)[self.near] ** 2, axis=0))


def measured(name: str, noise: str, d_prime: float, images: int, side: int = BOX) -> Measured:
    every = []
    for number in range(images):
        image, cells = scene(
            name, noise, (d_prime, d_prime), stream(2, name, noise, str(d_prime), str(number))
        )
        picker = made("matched_filter", threshold={"kind": "top", "count": len(cells)})
        found = picker.pick(look(image, noise, bank(name, 10.0, side)))
        for cell, error, sigma in zip(cells, *errors(name, found, cells), strict=True):
            theory = next_order(name, noise, cell) if len(every) % EVERY == 0 else np.full(3, np.nan)
            every.append((error, sigma, *efficient(name, noise, cell, image), theory))
    return Measured(*(np.array(column) for column in zip(*every, strict=True)))


def of_errors(images: int) -> None:
    head = "".join(f"{title:20}" for title in ("÷ bound", "theory", "÷ efficient", "÷ σ"))
    print(f"\n{'errors':8}{'noise':10}{'d′':>4}{'outliers':>10}   {head}")
    for d_prime, name, noise in itertools.product((10.0, 15.0, 25.0), SHAPES, NOISES):
        m = measured(name, noise, d_prime, images)
        blocks = (m.over(m.limit), np.nanmean(m.theory, axis=0), m.over(m.best), m.over_sigma)
        ratios = "   ".join(" ".join(f"{r:5.2f}" for r in block) for block in blocks)
        print(f"{name:8}{noise:10}{d_prime:4g}{1 - m.near.mean():10.3f}   {ratios}", flush=True)


def of_boxes(images: int) -> None:
    print(f"\n{'boxes':8}{'side':>6}{'y, px':>18}{'x, px':>18}")
    for name, side in itertools.product(SHAPES, (BOX, BOX - 1)):
        m = measured(name, "white", 25.0, images, side)
        error = m.error[m.near, :2] / PIXEL
        mean, sd = error.mean(axis=0), error.std(axis=0) / math.sqrt(len(error))
        print(f"{name:8}{side:6}" + "".join(f"{a:+10.4f} ±{b:.4f}" for a, b in zip(mean, sd, strict=True)))


def false_ones(found: Found, cells: list[Cell]) -> tuple[int, int, int]:
    """Return how many picks there are, and how many are false beside a particle and in noise."""
    gap, row = KDTree([cell.truth[:2] for cell in cells]).query(places(found))
    # Best first: a second pick of a particle is false.
    first = np.isin(
        np.arange(len(row)), np.unique(np.where(gap <= SUPPORT / 2, row, -1), return_index=True)[1]
    )
    false = ~first | (gap > SUPPORT / 2)
    return len(row), int((false & (gap < 2 * SUPPORT)).sum()), int((false & (gap >= 2 * SUPPORT)).sum())


def of_lists(images: int) -> None:
    print(
        f"{'lists':8}{'noise':10}{'picker':26}{'q':>5}{'picks':>7}{'recall':>8}   {'false':17}beside  noise"
    )
    pickers = [
        ("matched_filter", {}),
        ("matched_filter", {"noise": "declared"}),
        ("ncc", {}),
        ("correlation", {}),
    ]
    for name, noise in (("hammer", "white"), ("barrel", "white"), ("hammer", "coloured")):
        scenes = [scene(name, noise, (3.0, 9.0), stream(3, name, noise, str(i))) for i in range(images)]
        sought = bank(name, 10.0)
        for (kind, fields), q in itertools.product(pickers, (0.05, 0.1)):
            picker = made(kind, threshold={"kind": "fdr", "q": q}, **fields)
            counts = np.array([false_ones(picker.pick(look(i, noise, sought)), cells) for i, cells in scenes])
            n, beside, of_noise = counts.sum(axis=0).tolist()
            share = (beside + of_noise) / n
            two = 2 * math.sqrt(share * (1 - share) / n)
            recall = (n - beside - of_noise) / (len(scenes) * ROWS**2)
            label = kind + ("" if not fields else ", declared")
            print(
                f"{name:8}{noise:10}{label:26}{q:5g}{n:7}{recall:8.3f}   {share:.3f} ± {two:.3f}"
                f"{beside / n:12.3f}{of_noise / n:7.3f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lists", type=int, default=3, help="images for every list")
    parser.add_argument(
        "--images", type=int, default=2, help="images of 196 particles for every error and box"
    )
    parser.add_argument("--only", nargs="+", choices=["lists", "errors", "boxes"])
    given = parser.parse_args()
    parts = {
        "lists": (of_lists, given.lists),
        "errors": (of_errors, given.images),
        "boxes": (of_boxes, given.images),
    }
    for name in given.only or parts:
        part, count = parts[name]
        part(count)


if __name__ == "__main__":
    main()
