"""False picks in noise alone: how many a search predicts, and how many it makes.

    python tests/benchmarks/calibration.py [--size 1024] [--images 4] [--levels 3.5 4 4.5] [--kinds L ring]

Templates of three kinds at several numbers of angles, in white and in coloured noise whose spectrum the
matched filter is told, and the two pickers that whiten nothing. The error is what images differ by: counts of
rare picks, and the noise level that a search estimates of one image.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation.bank import TemplateBank, standardised
from simkit.picker import FAMILY
from simkit.picker import _calibration as calibration
from simkit.picker.base import Picker, Sight
from simkit.threshold.base import Counting, SearchStatistics
from simkit.threshold.fixed import Fixed

PIXEL = 3.0
BOX = 49
APART = 36.0
"""Å, closer to each other than a diameter, so that suppression decides little of the comparison."""

ANGLES = {"disk": [1], "L": [36, 120, 360], "rectangle": [36, 180], "ring": [36, 72]}
FOLD = {"disk": 1, "L": 1, "rectangle": 2, "ring": 5}
COLOURS = {"white": 0.0, "coloured": 1.5}


def soft(distance: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(1.5 * distance, -50, 50)))


def drawn(kind: str, psi: float) -> np.ndarray:
    y, x = np.meshgrid(*2 * [np.arange(BOX) - BOX // 2], indexing="ij")
    c, s = math.cos(psi), math.sin(psi)
    along, across = c * x + s * y, c * y - s * x
    if kind == "disk":
        return soft(np.hypot(y, x) - 9)
    if kind == "ring":
        return np.exp(-(((np.hypot(y, x) - 14) / 3) ** 2)) * (1 + 0.5 * np.cos(5 * (np.arctan2(y, x) - psi)))
    if kind == "rectangle":
        return soft(np.maximum(abs(along) - 16, abs(across) - 6))
    bar = soft(np.maximum(abs(along) - 14, abs(across + 8) - 4))
    return np.maximum(bar, soft(np.maximum(abs(along + 10) - 4, abs(across - 3) - 11)))


def bank(kind: str, count: int) -> TemplateBank:
    angles = np.arange(count) * 360 / FOLD[kind] / count
    views = standardised(np.stack([drawn(kind, math.radians(a)) for a in angles]))
    return TemplateBank(kind, kind, views, angles, PIXEL, 18 * PIXEL, f"C{FOLD[kind]}")


def noise(grid: Grid, exponent: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    radius = grid.frequency_radius() / grid.nyquist
    power = np.maximum(radius, 0.02) ** -exponent
    image = fourier.inverse(fourier.forward(rng.standard_normal(grid.shape)) * np.sqrt(power), grid.shape)
    return image, power


class Asking(Fixed):
    """A fixed cut, in standard deviations, that remembers what the search expected."""

    by: Counting
    told: ClassVar[dict[str, Callable[[float], float]]] = {}

    @property
    def counting(self) -> Counting:
        return self.by

    def level(self, statistics: SearchStatistics) -> float:
        self.told[self.by] = statistics.expected_above
        return self.value * statistics.noise_sd


def picker(kind: str, level: float, by: Counting) -> Picker:
    told = {"noise": "declared"} if kind == "matched_filter" else {}
    return FAMILY.kind(kind)(threshold=Asking(value=level, by=by), min_distance=APART, **told)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--levels", type=float, nargs="+", default=[3.5, 4.0, 4.5])
    parser.add_argument("--kinds", nargs="+", default=list(ANGLES))
    parser.add_argument("--angles", type=int, nargs="+")
    parser.add_argument("--pickers", nargs="+", default=["matched_filter", "correlation", "ncc"])
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    grid = Grid((given.size,) * 2, PIXEL)
    print("picker          template   angles  noise     level  closed form  predicted  counted  ratio  time")
    for name, kind, colour in itertools.product(given.pickers, given.kinds, COLOURS):
        for count in [n for n in ANGLES[kind] if not given.angles or n in given.angles]:
            compare(name, bank(kind, count), colour, grid, given)


def compare(name: str, sought: TemplateBank, colour: str, grid: Grid, given: argparse.Namespace) -> None:
    calibration._measured.cache_clear()
    counted, seconds, expected = [], [], []
    for number in range(given.images):
        image, power = noise(grid, COLOURS[colour], stream(1, "calibration", colour, number))
        sight = Sight(image, grid, [sought], None, power, None, stream(0), given.workers)
        begin = time.perf_counter()
        # Whatever is above the lowest level is then a pick of any higher one.
        found = picker(name, min(given.levels), "measured").pick(sight)
        seconds.append(time.perf_counter() - begin)
        scores = found.picks["score"] / found.noise_sd
        counted.append([int((scores >= u).sum()) for u in given.levels])
        # Pickers that are not told the noise estimate that of every image.
        expected.append([Asking.told["measured"](u) for u in given.levels])
    picker(name, min(given.levels), "closed_form").pick(sight)
    extra = seconds[0] - min(seconds)
    for u, picks, predicted in zip(given.levels, np.transpose(counted), np.transpose(expected), strict=True):
        ratio = picks.sum() / predicted.sum()
        # Of a few images their scatter says less than the Poisson law.
        scatter = max(float(np.var(picks - ratio * predicted)), picks.mean(), 1 / given.images)
        error = math.sqrt(given.images * scatter) / predicted.sum()
        closed = given.images * Asking.told["closed_form"](u)
        print(
            f"{name:15} {sought.name:10} {len(sought.angles):6}  {colour:8} {u:6.2f} {closed:12.1f}"
            f" {predicted.sum():10.1f} {picks.sum():8}   {ratio:.2f} ± {error:.2f}"
            f"   {min(seconds):.2f} + {extra:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
