"""Gaussian noise that is not white."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from simkit.core import fourier
from simkit.core.errors import DataError
from simkit.core.grid import FloatArray, Grid
from simkit.core.paths import DataFile
from simkit.noise._strength import GaussianStrength


def power_law(grid: Grid, *, exponent: float) -> FloatArray:
    """Return k^(−exponent), relative to the grid's lowest frequency, whose value k = 0 takes too.

    Parameters
    ----------
    grid : Grid
        Where to sample it; k is the magnitude of the frequency.
    exponent : float
        0 is white, 2 falls with the square of the frequency.

    Returns
    -------
    array in real-FFT layout, dimensionless
    """
    lowest = 1 / max(grid.extent)
    return np.maximum(grid.frequency_radius() / lowest, 1.0) ** -exponent


def unit_variance(spectrum: FloatArray, grid: Grid) -> FloatArray:
    """Scale a power spectrum in real-FFT layout so that its noise has unit variance per pixel."""
    return spectrum * (grid.size / fourier.energy(spectrum, grid.shape))


def coloured_noise(spectrum: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Draw Gaussian noise of a power spectrum: white noise ⊗ a filter of transfer √spectrum.

    Parameters
    ----------
    spectrum : array in real-FFT layout
        Variance per pixel at each frequency.
    grid : Grid
        Shape to draw.
    rng : numpy.random.Generator
        Stream to draw from.

    Returns
    -------
    array of the grid's shape, periodic like the grid
    """
    white = rng.standard_normal(grid.shape)
    return fourier.inverse(fourier.forward(white) * np.sqrt(spectrum), grid.shape)


def read_spectrum(file: str) -> tuple[FloatArray, FloatArray]:
    """Read a two-column text: frequency in 1/Å, rising, and relative power; `#` starts a comment.

    Returns
    -------
    frequency, power : arrays, shape (n,)

    Raises
    ------
    DataError
        If the file cannot be read, or naming the line that is no such row.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"a spectrum is a text of two columns; this cannot be read ({error})", file
        ) from error
    rows: list[tuple[float, float]] = []
    for number, line in enumerate(lines, start=1):
        if fields := line.partition("#")[0].replace(",", " ").split():
            row = _row(fields, file, number)
            if rows and row[0] <= rows[-1][0]:
                raise DataError(f"frequencies must rise; {row[0]:g} follows {rows[-1][0]:g}", file, number)
            rows.append(row)
    if not any(power > 0 for _, power in rows):
        raise DataError("the spectrum has no power; write rows of frequency (1/Å) and relative power", file)
    frequency, power = np.array(rows).T
    return frequency, power


def _row(fields: list[str], file: str, line: int) -> tuple[float, float]:
    try:
        frequency, power = map(float, fields)
    except ValueError as error:
        raise DataError(
            f"{' '.join(fields)!r} is not a row of two numbers, frequency (1/Å) and relative power",
            file,
            line,
        ) from error
    if not (math.isfinite(frequency) and math.isfinite(power) and frequency >= 0 and power >= 0):
        raise DataError("frequency and power must be finite and not negative", file, line)
    return frequency, power


class Coloured(GaussianStrength):
    """Gaussian noise whose power depends on the frequency, by a power law or a measured spectrum."""

    kind: Literal["coloured"] = "coloured"

    exponent: Annotated[float, Strict(), Field(ge=-10, le=10)] | None = None
    """Power ∝ 1/k^exponent; k = 0 has the power of the lowest frequency of the image."""

    file: DataFile | None = None
    """Text of two columns, frequency (1/Å) and relative power; linear between rows, constant beyond."""

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.exponent is None) == (self.file is None):
            raise PydanticCustomError(
                "spectrum", "write exactly one of `exponent:` (power ∝ 1/k^exponent) and `file:`"
            )
        return self

    def apply(self, image: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
        """See `Noise.apply`."""
        return image + coloured_noise(self.spectrum(grid, 0.0), grid, rng)

    def spectrum(self, grid: Grid, mean: float) -> FloatArray:
        """See `Noise.spectrum`; its mean over the full plane is sd².

        Raises
        ------
        DataError
            If the spectrum file is wrong, or holds no power at any frequency of the image.
        """
        return self.variance * unit_variance(self._relative(grid), grid)

    def _relative(self, grid: Grid) -> FloatArray:
        if self.file is None:
            return power_law(grid, exponent=self.exponent or 0.0)
        power = np.interp(grid.frequency_radius(), *read_spectrum(self.file))
        if not power.any():
            raise DataError("the spectrum has no power at any frequency of this image", self.file)
        return power
