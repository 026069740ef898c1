"""Averaging what was picked: N noisy copies of one motif gain a factor N in SNR."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength
from simkit.core.tables import Table


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
        grid = evidence.grid
        box = Grid((max(2, round(self.box / grid.pixel_size)),) * grid.ndim, grid.pixel_size)
        reference = self._reference(evidence, box)
        boxes = [self._boxes(evidence, number, box) for number in range(len(evidence.micrographs))]
        count = sum(len(b) for b in boxes)
        if count == 0:
            return Measurement({**dict.fromkeys(self.units, None), "count": 0})
        average = sum(b.sum(axis=0) for b in boxes) / count
        single = sum(float(b.var(axis=tuple(range(1, b.ndim))).sum()) for b in boxes) / count
        first = next(b[0] for b in boxes if len(b))
        return Measurement(
            {"count": count, **_gain(reference, average, single)}, _panels(box, first, average, reference)
        )

    def _boxes(self, evidence: Evidence, number: int, box: Grid) -> FloatArray:
        if self.picker not in evidence.picks:
            raise ScenarioError(
                f"there is no picker {self.picker!r}; there are {', '.join(evidence.picks) or 'none'}",
                ("picker",),
            )
        rows = self._of(evidence.picks[self.picker], evidence.micrograph_names[number])
        return _cut(evidence.micrographs[number], rows, evidence, box)

    def _reference(self, evidence: Evidence, box: Grid) -> FloatArray:
        rows = self._of(evidence.truth, evidence.micrograph_names[0])
        boxes = _cut(evidence.ideal, rows, evidence, box)
        if len(boxes) == 0:
            raise ScenarioError(
                "no copy in the first micrograph has its whole box inside the image, so there is "
                "nothing to compare with; take a smaller box or a larger image",
                ("box",),
            )
        return boxes.mean(axis=0)

    def _of(self, table: Table, micrograph: str) -> Table:
        wanted = table["micrograph"] == micrograph
        if self.species is not None:
            wanted = wanted & (table["class"] == self.species)
        return table.take(wanted)


def _cut(image: FloatArray, rows: Table, evidence: Evidence, box: Grid) -> FloatArray:
    return cut_boxes(
        image,
        grid=evidence.grid,
        positions=tuple(rows[axis] for axis in evidence.grid.axes),
        psi=np.nan_to_num(rows["psi"]),
        box=box,
        periodic=evidence.boundary == "periodic",
    )


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
        "correlation": covariance / np.sqrt(power * averaged),
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
