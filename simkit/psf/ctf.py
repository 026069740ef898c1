"""The contrast transfer function of an electron microscope."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, Strict

from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Angle, Length, NonNegativeArea, NonNegativeLength, Voltage
from simkit.psf.base import Psf
from simkit.theory.electron import wavelength

MARGIN = 4
"""Pixels added to the delocalisation for the width of the peak that is delocalised."""


def aberration_phase(
    frequency: FloatArray, *, voltage: float, defocus: FloatArray | float, spherical_aberration: float
) -> FloatArray:
    """Phase that the lens adds: χ = 2π (−½ Δf λ k² + ¼ Cs λ³ k⁴).

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    voltage : float
        kV.
    defocus : float or array
        Δf in Å, underfocus positive; an array gives one for every frequency.
    spherical_aberration : float
        Cs in Å.

    Returns
    -------
    array, in radians

    References
    ----------
    .. [1] Rohou & Grigorieff, J. Struct. Biol. 192 (2015) 216, with the sign of χ reversed.
    """
    squared = wavelength(voltage) * frequency**2
    return np.pi * squared * (0.5 * spherical_aberration * wavelength(voltage) * squared - defocus)


def ctf(
    k_y: FloatArray,
    k_x: FloatArray,
    *,
    voltage: float,
    defocus: float,
    astigmatism: float = 0.0,
    astigmatism_angle: float = 0.0,
    spherical_aberration: float,
    amplitude_contrast: float,
    b_factor: float = 0.0,
) -> FloatArray:
    """Contrast transfer function sin(χ − φ_a) e^(−B k²/4), with sin φ_a the amplitude contrast.

    Under I = 1 + 2 φ ⊗ h this is the transform of h: below the first zero it is negative, so
    that underfocused protein is dark.

    Parameters
    ----------
    k_y, k_x : array
        Spatial frequencies in 1/Å, which broadcast.
    voltage : float
        kV.
    defocus : float
        Mean of the two principal defoci in Å, underfocus positive.
    astigmatism : float
        Δf₁ − Δf₂ in Å: Δf(θ) = Δf + ½ (Δf₁ − Δf₂) cos 2(θ − θ₀).
    astigmatism_angle : float
        θ₀ in degrees, the direction of Δf₁, from +x towards +y.
    spherical_aberration : float
        Cs in Å.
    amplitude_contrast : float
        w, 0 ≤ w < 1.
    b_factor : float
        B in Å².

    Returns
    -------
    array, dimensionless; −w at k = 0
    """
    turn = 2 * (np.arctan2(k_y, k_x) - np.deg2rad(astigmatism_angle))
    frequency = np.hypot(k_y, k_x)
    phase = aberration_phase(
        frequency,
        voltage=voltage,
        defocus=defocus + 0.5 * astigmatism * np.cos(turn),
        spherical_aberration=spherical_aberration,
    )
    return np.sin(phase - np.arcsin(amplitude_contrast)) * np.exp(-b_factor * frequency**2 / 4)


def first_zero(
    *, voltage: float, defocus: float, spherical_aberration: float, amplitude_contrast: float
) -> float:
    """Return the lowest frequency > 0 at which the CTF crosses zero, in closed form.

    Parameters
    ----------
    voltage, defocus, spherical_aberration, amplitude_contrast : float
        As for `ctf`, without astigmatism.

    Returns
    -------
    float, in 1/Å; infinite without defocus and spherical aberration
    """
    length = wavelength(voltage)
    bend, slope = 0.5 * math.pi * spherical_aberration * length**3, math.pi * defocus * length
    # The phase starts within (−π/2, 0], so the first multiple of π that it meets is one of three.
    squares = [
        square
        for multiple in (-math.pi, 0.0, math.pi)
        for square in _roots(bend, slope, math.asin(amplitude_contrast) + multiple)
    ]
    return math.sqrt(min((s for s in squares if s > 0), default=math.inf))


def _roots(a: float, b: float, c: float) -> list[float]:
    """Solve a x² − b x − c = 0 over the reals without cancellation, for any a, b, c."""
    discriminant = b * b + 4 * a * c
    if discriminant < 0:
        return []
    q = 0.5 * (b + math.copysign(math.sqrt(discriminant), b))
    return [*([q / a] if a else []), *([-c / q] if q else [])]


def delocalisation(
    frequency: FloatArray, *, voltage: float, defocus: float, spherical_aberration: float
) -> FloatArray:
    """Return how far the lens displaces the waves of a frequency: |dχ/dk| / 2π = |Cs λ³ k³ − Δf λ k|.

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    voltage, defocus, spherical_aberration : float
        As for `aberration_phase`.

    Returns
    -------
    array, in Å
    """
    tilt = wavelength(voltage) * frequency
    return np.abs(spherical_aberration * tilt**3 - defocus * tilt)


class Ctf(Psf):
    """An electron lens, slightly out of focus, under the phase model."""

    kind: Literal["ctf"] = "ctf"

    voltage: Voltage
    """Accelerating voltage."""

    defocus: Length
    """Mean of the two principal defoci; underfocus is positive."""

    astigmatism: Length = 0.0
    """Difference of the principal defoci, first minus second."""

    astigmatism_angle: Angle = 0.0
    """Direction of the first principal defocus, from +x towards +y."""

    spherical_aberration: NonNegativeLength
    """Spherical aberration Cs."""

    amplitude_contrast: Annotated[float, Strict(), Field(ge=0, lt=1)]
    """Share w of amplitude contrast: the CTF is −w at k = 0."""

    b_factor: NonNegativeArea = 0.0
    """Envelope e^(−B k²/4)."""

    def defocused(self, error: float) -> Self:
        """See `Psf.defocused`."""
        return self.model_copy(update={"defocus": self.defocus + error})

    @property
    def electron_voltage(self) -> float:
        """See `Psf.electron_voltage`."""
        return self.voltage

    def transfer(self, grid: Grid) -> FloatArray:
        """See `Psf.transfer`; −w at k = 0."""
        return ctf(
            *grid.frequencies(),
            voltage=self.voltage,
            defocus=self.defocus,
            astigmatism=self.astigmatism,
            astigmatism_angle=self.astigmatism_angle,
            spherical_aberration=self.spherical_aberration,
            amplitude_contrast=self.amplitude_contrast,
            b_factor=self.b_factor,
        )

    def support(self, grid: Grid) -> float:
        """Largest delocalisation up to Nyquist, at either principal defocus, plus a few pixels."""
        frequency = np.linspace(0, grid.nyquist, 512)
        reach = [
            delocalisation(
                frequency,
                voltage=self.voltage,
                defocus=self.defocus + sign * 0.5 * self.astigmatism,
                spherical_aberration=self.spherical_aberration,
            ).max()
            for sign in (-1, 1)
        ]
        return float(max(reach)) + MARGIN * grid.pixel_size
