"""The contract of an audit: a measurement on a finished run, usable in `expect`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.spec import Spec
from simkit.core.tables import Picks, Placements, Truth


@dataclass(frozen=True)
class SpeciesRecord:
    """One species as it was simulated in the first micrograph.

    Attributes
    ----------
    spectrum : callable
        ``spectrum(grid, angle=0.0, mirror=False, view=FLAT)`` → spectrum of the density of one copy,
        seen from a view if it is a solid, turned by R(angle)·M and centred on index 0.
    support : float
        Radius in Å.
    placements : Placements
        Where copies were put, those beyond the border of an open image included.
    basis : array, shape (ndim, ndim), or None
        Lattice vectors (rows a, b; columns y, x) in Å, of a net.
    """

    spectrum: Callable[..., ComplexArray]
    support: float
    placements: Placements
    basis: FloatArray | None


@dataclass(frozen=True)
class Evidence:
    """What an audit may look at.

    Attributes
    ----------
    grid : Grid
        The image.
    boundary : str
        "periodic" or "open".
    species : mapping
        Species name → `SpeciesRecord` of micrograph 0.
    density : array
        Σ species + background of micrograph 0, cropped to the image (before the optics).
    ideal : array
        The noise-free image of micrograph 0.
    micrographs : sequence of arrays
        The images with noise, all of them.
    transfer : array
        The scenario's transfer function on the image grid, real-FFT layout (ones without a psf).
    truth : Truth
        All micrographs.
    picks : mapping
        Picker name → Picks of all micrographs.
    micrograph_names : sequence of str
        In the order of the images.
    templates : mapping
        Template name → its first view (zero mean, unit energy), centre at n // 2.
    rng : numpy.random.Generator
        The audit's own stream.
    """

    grid: Grid
    boundary: str
    species: Mapping[str, SpeciesRecord]
    density: FloatArray
    ideal: FloatArray
    micrographs: Sequence[FloatArray]
    transfer: FloatArray | ComplexArray
    truth: Truth
    picks: Mapping[str, Picks]
    micrograph_names: Sequence[str]
    templates: Mapping[str, FloatArray]
    rng: np.random.Generator


@dataclass(frozen=True)
class Series:
    """One labelled curve of a panel."""

    label: str
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Panel:
    """A picture that an audit wants in the report: either an image or curves.

    Attributes
    ----------
    title, caption : str
        What a stranger reads.
    image : array or None
        2-D values shown in grey.
    series : tuple of Series
        Curves.
    x_label, y_label : str
        Axes of the curves, with units.
    log : bool
        Both axes logarithmic.
    marks : array, shape (n, 2), or None
        Points (row, col) in pixels to mark on the image.
    """

    title: str
    caption: str
    image: FloatArray | None = None
    series: tuple[Series, ...] = ()
    x_label: str = ""
    y_label: str = ""
    log: bool = False
    marks: FloatArray | None = None


@dataclass(frozen=True)
class Measurement:
    """What an audit returns: named values (None where one does not exist) and panels."""

    values: dict[str, float | int | None]
    panels: tuple[Panel, ...] = field(default=())


class Audit(Spec):
    """What to measure."""

    units: ClassVar[Mapping[str, str]]
    """Name of every value the audit gives → its unit ("" for a pure number)."""

    @abstractmethod
    def measure(self, evidence: Evidence) -> Measurement:
        """Return the value of every name in `units`.

        Raises
        ------
        ScenarioError
            If the run holds nothing to measure; its path is relative to the audit.
        """
