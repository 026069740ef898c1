"""Values on the sites of a net, laid out as an array over (h, k) so that neighbours are neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core.grid import FloatArray


@dataclass(frozen=True)
class SiteGrid:
    """An array over (h, k) with a place for every site.

    Attributes
    ----------
    rows : array of int, shape (n, 2)
        Where each site stands in the array.
    shape : tuple of int
        Of the array.
    """

    rows: FloatArray
    shape: tuple[int, int]

    @classmethod
    def of(cls, indices: FloatArray) -> SiteGrid:
        """Return the smallest array that holds all sites."""
        rows = (indices - indices.min(axis=0)).astype(np.intp)
        high, wide = rows.max(axis=0) + 1
        return cls(rows, (int(high), int(wide)))

    def spread(self, values: FloatArray, *, empty: float = np.nan) -> FloatArray:
        """Lay out one value a site."""
        array = np.full(self.shape, empty)
        array[tuple(self.rows.T)] = values
        return array

    def gather(self, array: FloatArray) -> FloatArray:
        """Return the values at the sites."""
        return array[tuple(self.rows.T)]

    def box_mean(self, values: FloatArray, known: FloatArray, side: int) -> FloatArray:
        """Average the known values among the `side` × `side` cells around each site; NaN of none."""
        sums = [
            self.gather(ndimage.uniform_filter(self.spread(v, empty=0.0), side, mode="constant"))
            for v in (np.where(known, values, 0.0), known.astype(float))
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(sums[1] > 1e-6, sums[0] / sums[1], np.nan)

    def slopes(self, values: FloatArray, known: FloatArray) -> FloatArray:
        """Return ∂/∂h and ∂/∂k at each site, shape (n, 2), where both neighbours are known, else NaN."""
        array = self.spread(np.where(known, values, np.nan))
        padded = np.pad(array, 1, constant_values=np.nan)
        along_h = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
        along_k = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
        return np.stack([self.gather(along_h), self.gather(along_k)], axis=1)


def smoothed(
    indices: FloatArray, values: FloatArray, *, sigma: float, targets: FloatArray | None = None
) -> FloatArray:
    """Average values on sites with a Gaussian of `sigma` cells.

    Parameters
    ----------
    indices : array, shape (n, 2)
        (h, k) of the sites that have a value.
    values : array, shape (n,)
        The values.
    sigma : float
        Cells.
    targets : array, shape (m, 2), optional
        Sites at which the average is wanted; those with values by default.

    Returns
    -------
    array, shape (m,)
        NaN where there is no value within about four sigma.
    """
    targets = indices if targets is None else targets
    grid = SiteGrid.of(np.concatenate([indices, targets]))
    source = SiteGrid(grid.rows[: len(indices)], grid.shape)
    total, weight = (
        ndimage.gaussian_filter(source.spread(v, empty=0.0), sigma, mode="constant")
        for v in (values, np.ones(len(values)))
    )
    at = tuple(grid.rows[len(indices) :].T)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight[at] > 1e-6, total[at] / weight[at], np.nan)
