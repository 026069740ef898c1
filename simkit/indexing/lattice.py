"""From an image to its lattice: spots, reciprocal lattice, averaged cell, sites, cell, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.net import reciprocal, reduced
from simkit.indexing.cell import Cell, conventional, fit_cell, net_of
from simkit.indexing.confidence import Confidence, judge
from simkit.indexing.motif import Motif, averaged_cell
from simkit.indexing.sites import Sites, Survey, survey, tabulate
from simkit.indexing.spectrum import Spots, find_spots
from simkit.indexing.spots import Reciprocal, collinear, explain, index_spots
from simkit.indexing.tracking import correlate_column

SMALLEST_IMAGE = 32
"""Pixels a side below which a spectrum has too few steps to tell spots from their background."""

FEWEST_SITES = 6
"""Whole columns that a cell with errors can be fitted to."""

GUIDED = 2
"""Times that the sites are looked for again, each where its neighbours' displacements put it."""

BEYOND = 1.05
"""Frequency, relative to the outermost explained spot, up to which the averaged cell is drawn."""


@dataclass(frozen=True)
class NoLattice:
    """An image in which no lattice was found.

    Attributes
    ----------
    reason : str
        What there is instead, in a sentence.
    spots : Spots
        The significant spots of its spectrum.
    """

    reason: str
    spots: Spots


@dataclass(frozen=True)
class FoundLattice:
    """The lattice of an image; all lengths in pixels.

    Attributes
    ----------
    cell : Cell
        Reduced cell in its conventional form, with errors.
    net : str
        The most symmetric of the five nets that the cell is within 3 standard errors of.
    motif : Motif
        The averaged cell.
    sites : Sites
        Every lattice point within the image.
    spots : Spots
        The significant spots of the spectrum.
    reciprocal : Reciprocal
        a*, b* of the cell, and which spots they explain.
    confidence : Confidence
        Whether to believe it, and why not.
    resolved : bool
        Whether a vacancy would stand out from the scatter of the heights.
    """

    cell: Cell
    net: str
    motif: Motif
    sites: Sites
    spots: Spots
    reciprocal: Reciprocal
    confidence: Confidence
    resolved: bool


def find_lattice(image: FloatArray) -> FoundLattice | NoLattice:
    """Find the lattice of an image.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Finite pixels, of any grey scale.

    Returns
    -------
    FoundLattice or NoLattice
    """
    pixels = np.asarray(image, np.float64)
    if min(pixels.shape) < SMALLEST_IMAGE:
        return _none(f"the image is smaller than {SMALLEST_IMAGE} × {SMALLEST_IMAGE} pixels")
    deviation = pixels - pixels.mean()
    if float(np.abs(deviation).max()) <= 1e-12 * float(np.abs(pixels).max()):
        return _none("all pixels are the same")
    # One scale for all images, so that none over- or underflows.
    pixels = deviation / np.abs(deviation).max()
    spots = find_spots(pixels)
    star = index_spots(spots)
    if star is None:
        return NoLattice(_instead(spots, pixels.shape), spots)
    return _refined(pixels, spots, star)


def _none(reason: str) -> NoLattice:
    return NoLattice(reason, Spots(np.zeros((0, 2)), *np.zeros((3, 0))))


def _instead(spots: Spots, shape: tuple[int, ...]) -> str:
    if len(spots) == 0:
        return "nothing in the power spectrum rises above its background as a spot does"
    if collinear(spots):
        frequency = spots.steps[np.linalg.norm(spots.steps / shape, axis=1).argmin()] / shape
        normal = np.degrees(np.arctan2(frequency[0], frequency[1]))
        return (
            f"the image has fringes, a single row of spots: {1 / np.linalg.norm(frequency):.4g} pixels apart "
            f"and along the direction {(normal + 90) % 180 - 90:.1f}° from +x towards +y"
        )
    return f"the power spectrum has {len(spots)} spots, but they stand on no common lattice"


def _refined(image: FloatArray, spots: Spots, star: Reciprocal) -> FoundLattice | NoLattice:
    shape = np.array(image.shape)
    frequencies = star.basis / shape
    reach = BEYOND * float(np.linalg.norm(spots.steps[star.explained] / shape, axis=1).max())
    motif = averaged_cell(image, frequencies, reach)
    correlation = correlate_column(image, motif)
    basis, origin = reduced(reciprocal(frequencies)), shape // 2 + motif.column
    seen = survey(correlation, basis, origin)
    for _ in range(GUIDED):
        if not _spans(seen):
            break
        cell = _fitted(seen)
        seen = survey(correlation, cell.basis, cell.origin, seen)
    if not _spans(seen):
        return NoLattice(
            "the spectrum has spots on a lattice, but too few columns stand where it puts them "
            f"({int(seen.measured.sum())}): the crystal may be broken into parts that are out of step",
            spots,
        )
    cell = _fitted(seen)
    cell, steps = conventional(cell)
    turned = _reindexed(seen, steps)
    sites = tabulate(turned, cell)
    final = explain(reciprocal(cell.basis) * shape, spots)
    return FoundLattice(
        cell=cell,
        net=net_of(cell),
        motif=motif,
        sites=sites,
        spots=spots,
        reciprocal=final,
        confidence=judge(spots, final, turned, sites, cell, image.shape),
        resolved=seen.resolved,
    )


def _fitted(seen: Survey) -> Cell:
    return fit_cell(seen.indices[seen.measured], seen.positions[seen.measured])


def _spans(seen: Survey) -> bool:
    indices = seen.indices[seen.measured]
    if len(indices) < FEWEST_SITES:
        return False
    return bool(np.linalg.matrix_rank(indices - indices.mean(axis=0)) == 2)


def _reindexed(seen: Survey, steps: FloatArray) -> Survey:
    """Return a survey whose (h, k) count the basis `steps @ basis`, by h and then k."""
    indices = np.round(seen.indices @ np.linalg.inv(steps))
    order = np.lexsort(indices.T[::-1])
    sorted_arrays = {
        field.name: getattr(seen, field.name)[order] for field in fields(seen) if field.name != "resolved"
    }
    return replace(seen, **sorted_arrays | {"indices": indices[order]})
