"""Micrographs from files: how large they are, and what is known of the particles in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.files import name_of, open_matching
from simkit.io.coordinates import CoordinateFrame, read_coordinate_set
from simkit.io.names import few, stem
from simkit.io.placing import called, homes, shapes_of, upright
from simkit.scenario.micrographs import KnownPositions, Micrographs

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Archive:
    """Micrographs on disk; their pixels are read one micrograph at a time.

    Attributes
    ----------
    names : tuple of str
        Of the micrographs: their files' names without suffix.
    files : tuple of str
        Their files.
    grids : tuple of Grid
        Their shapes, as the headers say.
    truth : Truth
        What is known of the particles in them.
    judged : frozenset of str
        Names of the micrographs of which something is known, be it that they are empty.
    notices : tuple of str
        What a reader must know of how files and micrographs were brought together.
    """

    names: tuple[str, ...]
    files: tuple[str, ...]
    grids: tuple[Grid, ...]
    truth: Truth
    judged: frozenset[str]
    notices: tuple[str, ...]

    @property
    def unjudged(self) -> frozenset[str]:
        """Names of the micrographs of which nothing is known."""
        return frozenset(self.names) - self.judged


def survey(section: Micrographs, pixel_size: float) -> Archive:
    """Open every micrograph's header and read what is known of the particles.

    Parameters
    ----------
    section : Micrographs
        Names the files.
    pixel_size : float
        Å, of all of them.

    Raises
    ------
    DataError
        If a file cannot be read, two have one name, a header contradicts the pixel size, or none of the
        known positions is on any of the micrographs.
    """
    names = tuple(stem(name_of(file)) for file in section.files)
    seen: dict[str, str] = {}
    for name, file in zip(names, section.files, strict=True):
        if (other := seen.setdefault(name, file)) != file:
            raise DataError(f"{other} has the same name, which tells picks apart; rename one", file)
    grids = tuple(Grid(open_matching(file, pixel_size).shape, pixel_size) for file in section.files)
    archive = Archive(names, section.files, grids, Truth(), frozenset(), ())
    return _with_truth(archive, section.truth, pixel_size) if section.truth else archive


def _with_truth(archive: Archive, known: KnownPositions, pixel_size: float) -> Archive:
    frame = CoordinateFrame(pixel_size=known.pixel_size or pixel_size, binning=known.binning)
    found = read_coordinate_set(known.files, frame=frame, format=known.format)
    written = found["micrograph"].tolist()
    home = homes(written, known.files, archive.names)
    strangers = [name for name in dict.fromkeys(written) if home[name] is None]
    if strangers and not any(home[name] for name in written):
        raise DataError(
            f"the truth is about {called(strangers)}, and the micrographs are {called(archive.names)}; "
            "a file without a column `micrograph` is about the one whose name its own begins with",
            known.files[0],
        )
    placed = found.take([home[name] is not None for name in written])
    placed = placed.replace(micrograph=[str(home[name]) for name in placed["micrograph"].tolist()])
    truth = _upright(placed, archive, known)
    inside = _on_a_pixel(truth, archive)
    judged = frozenset(micrograph for micrograph in home.values() if micrograph is not None)
    notices = {
        f"{len(found) - len(placed)} known positions are on {called(strangers)}, of which there is no "
        "micrograph; they are left out": len(strangers),
        f"{int((~inside).sum())} known positions lie outside their micrograph; they are left out": (
            not inside.all()
        ),
        f"nothing is known of {few([name for name in archive.names if name not in judged])}; picks there "
        "are shown and not judged": len(judged) < len(archive.names),
    }
    told = tuple(notice for notice, holds in notices.items() if holds)
    return replace(archive, truth=truth.take(inside), judged=judged, notices=told)


def _upright(placed: Picks, archive: Archive, known: KnownPositions) -> Truth:
    """Turn positions into the frame of the micrographs themselves."""
    turned = upright(
        placed,
        orientation=known.frame,
        shapes=_shapes(archive),
        pixel_size=archive.grids[0].pixel_size,
    )
    kept = {name: turned[name] for name in ("micrograph", "class", "y", "x", "psi", "rot", "tilt")}
    declared = {} if known.class_ is None else {"class": np.full(len(placed), known.class_)}
    return Truth(**{**kept, **declared})


def _on_a_pixel(truth: Truth, archive: Archive) -> Mask:
    """See `Grid.contains`, for points on micrographs of several shapes."""
    pixel = archive.grids[0].pixel_size
    within = [
        (truth[axis] / pixel >= -0.5) & (truth[axis] / pixel < n - 0.5)
        for axis, n in zip("yx", shapes_of(truth, _shapes(archive)), strict=True)
    ]
    return np.logical_and.reduce(within)


def _shapes(archive: Archive) -> dict[str, tuple[int, ...]]:
    return {name: grid.shape for name, grid in zip(archive.names, archive.grids, strict=True)}
