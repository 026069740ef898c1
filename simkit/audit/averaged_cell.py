"""Averaging what was picked: N noisy copies of one motif gain a factor N in SNR."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength
from simkit.core.tables import Table

BATCH = 2**22
"""Pixels interpolated at once, so that memory does not grow with the number of picks."""


def cut_boxes(
    image: FloatArray,
    *,
    grid: Grid,
    positions: tuple[FloatArray, ...],
    psi: FloatArray,
    box: Grid,
    periodic: bool,
) -> FloatArray:
    """Cut boxes out of an image at real positions, each turned back by its angle.

    Parameters
    ----------
    image : array
        Pixels on `grid`.
    grid : Grid
        The image.
    positions : tuple of arrays, shape (n,)
        Box centres in Å, one array an axis.
    psi : array, shape (n,)
        Degrees, +x turned towards +y; in one dimension it is not looked at.
    box : Grid
        Shape and pixel size of a box; its centre is its central pixel n // 2.
    periodic : bool
        Whether a box may reach across the border; where not, such boxes are left out.

    Returns
    -------
    array, shape (≤ n, *box.shape)
        Interpolated through the image's Fourier transform.
    """
    n = len(positions[0])
    centres = [p.reshape((n, *[1] * grid.ndim)) for p in positions]
    turned = _turned(box, psi.reshape((n, *[1] * grid.ndim)))
    points = [np.broadcast_to(c + t, (n, *box.shape)) for c, t in zip(centres, turned, strict=True)]
    if not periodic:
        inside = grid.contains(*points).reshape(n, -1).all(axis=1)
        points = [p[inside] for p in points]
    return fourier.interpolate(image, grid.indices(*points))


def _turned(box: Grid, psi: FloatArray) -> tuple[FloatArray, ...]:
    if box.ndim == 1:
        return box.offsets()
    dy, dx = box.offsets()
    cos, sin = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    return cos * dy + sin * dx, cos * dx - sin * dy


class AveragedCell(Audit):
    """The average over a picker's picks, compared with the noise-free image.

    Boxes are cut at the picks of all micrographs, turned back by the picks' angles and averaged.
    The reference is the average of the noise-free image's boxes at the true places of the first
    micrograph: in a crystal neighbours reach into the box, and they do so in both.
    """

    kind: Literal["averaged_cell"] = "averaged_cell"

    picker: str
    """Name of the picker whose picks are averaged."""

    box: PositiveLength
    """Side of the boxes."""

    species: str | None = None
    """Average the picks of this class alone; all picks by default."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("count", "snr_single", "snr_average", "snr_gain", "correlation"), "")
    )

    def measure(self, evidence: Evidence) -> Measurement:
        """Return how many boxes were averaged and what that gained.

        Notes
        -----
        An image B = g·R + residual, R the reference and g its best factor, has the SNR
        var(gR) / var(residual). For the average that is r² / (1 − r²) with r its correlation with
        R; a single box has the same gR and its own, larger variance. `snr_gain` is their ratio, the
        number of boxes if the noise is all that differs between them.
        """
        box = self._box(evidence.grid)
        truth = self._of(evidence.truth, evidence.micrograph_names[0])
        reference = _average([(evidence.ideal, truth)], evidence, box)
        if reference.count == 0:
            raise ScenarioError(
                "no copy in the first micrograph has its whole box inside the image, so there is "
                "nothing to compare with; take a smaller box or a larger image",
                ("box",),
            )
        picks = self._picks(evidence)
        shown = zip(evidence.micrographs, evidence.micrograph_names, strict=True)
        found = _average([(image, self._of(picks, name)) for image, name in shown], evidence, box)
        if found.count == 0:
            return Measurement({**dict.fromkeys(self.units, None), "count": 0})
        return Measurement(
            {"count": found.count, **_gain(reference.mean, found.mean, found.variance)},
            _panels(box, found.first, found.mean, reference.mean),
        )

    def _box(self, grid: Grid) -> Grid:
        side = max(2, round(self.box / grid.pixel_size))
        if side > min(grid.shape):
            raise ScenarioError(
                f"the box of {side} pixels is larger than the image; take a smaller box", ("box",)
            )
        return Grid((side,) * grid.ndim, grid.pixel_size)

    def _picks(self, evidence: Evidence) -> Table:
        if self.picker not in evidence.picks:
            raise ScenarioError(
                f"there is no picker {self.picker!r}; there are {', '.join(evidence.picks) or 'none'}",
                ("picker",),
            )
        return evidence.picks[self.picker]

    def _of(self, table: Table, micrograph: str) -> Table:
        wanted = table["micrograph"] == micrograph
        if self.species is not None:
            wanted = wanted & (table["class"] == self.species)
        return table.take(wanted)


@dataclass(frozen=True)
class Average:
    """The mean of `count` boxes, the mean variance within one, and the first of them."""

    count: int
    mean: FloatArray
    variance: float
    first: FloatArray


def _average(shown: Sequence[tuple[FloatArray, Table]], evidence: Evidence, box: Grid) -> Average:
    count, total, variance, first = 0, np.zeros(box.shape), 0.0, np.zeros(box.shape)
    for boxes in _batches(shown, evidence, box):
        if count == 0:
            first = boxes[0]
        count += len(boxes)
        total += boxes.sum(axis=0)
        variance += float(boxes.var(axis=tuple(range(1, boxes.ndim))).sum())
    return Average(count, total / max(count, 1), variance / max(count, 1), first)


def _batches(
    shown: Sequence[tuple[FloatArray, Table]], evidence: Evidence, box: Grid
) -> Iterator[FloatArray]:
    step = max(1, BATCH // box.size)
    for image, table in shown:
        for start in range(0, len(table), step):
            rows = table.take(np.arange(start, min(start + step, len(table))))
            boxes = cut_boxes(
                image,
                grid=evidence.grid,
                positions=tuple(rows[axis] for axis in evidence.grid.axes),
                psi=np.nan_to_num(rows["psi"]),
                box=box,
                periodic=evidence.boundary == "periodic",
            )
            if len(boxes):
                yield boxes


def _gain(reference: FloatArray, average: FloatArray, single: float) -> dict[str, float | None]:
    """Return the SNRs from R, the average box, and the mean variance of a single box."""
    covariance = float(np.mean((average - average.mean()) * (reference - reference.mean())))
    power, averaged = float(reference.var()), float(average.var())
    if power == 0 or averaged == 0:
        return dict.fromkeys(("snr_single", "snr_average", "snr_gain", "correlation"), None)
    signal = covariance**2 / power
    alone, together = (_ratio(signal, variance - signal) for variance in (single, averaged))
    return {
        "snr_single": alone,
        "snr_average": together,
        "snr_gain": None if alone is None or together is None else _ratio(together, alone),
        "correlation": covariance / math.sqrt(power * averaged),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _panels(box: Grid, first: FloatArray, average: FloatArray, reference: FloatArray) -> tuple[Panel, ...]:
    told = (
        ("One noisy copy", "The micrograph around the first pick.", first),
        ("Average", "The mean of the micrographs around all picks: the noise averages out.", average),
        ("Noise-free copy", "What the average should look like, from the image before the noise.", reference),
    )
    if box.ndim == 2:
        return tuple(Panel(title, caption, image=image) for title, caption, image in told)
    (x,) = box.offsets()
    return (
        Panel(
            "Averaging copies",
            "One noisy copy, the mean over all picks, and what it should look like.",
            series=tuple(Series(title.lower(), x, values) for title, _, values in told),
            x_label="distance from the centre (Å)",
            y_label="value",
        ),
    )
