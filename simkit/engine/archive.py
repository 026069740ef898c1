"""Micrographs from files: how large they are, and what is known of the particles in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.files import name_of, open_matching
from simkit.io.coordinates import CoordinateFrame, read_coordinate_set
from simkit.io.names import MicrographNames, few, stem
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
    home = _homes(written, archive, known)
    strangers = [name for name in dict.fromkeys(written) if home[name] is None]
    if strangers and not any(home[name] for name in written):
        raise DataError(
            f"the truth is about {_called(strangers)}, and the micrographs are {_called(archive.names)}; "
            "a file without a column `micrograph` is about the one whose name its own begins with",
            known.files[0],
        )
    placed = found.take([home[name] is not None for name in written])
    placed = placed.replace(micrograph=[str(home[name]) for name in placed["micrograph"].tolist()])
    truth = _upright(placed, archive, known)
    inside = _on_a_pixel(truth, archive)
    judged = frozenset(micrograph for micrograph in home.values() if micrograph is not None)
    notices = {
        f"{len(found) - len(placed)} known positions are on {_called(strangers)}, of which there is no "
        "micrograph; they are left out": len(strangers),
        f"{int((~inside).sum())} known positions lie outside their micrograph; they are left out": (
            not inside.all()
        ),
        f"nothing is known of {few([name for name in archive.names if name not in judged])}; picks there "
        "are shown and not judged": len(judged) < len(archive.names),
    }
    told = tuple(notice for notice, holds in notices.items() if holds)
    return replace(archive, truth=truth.take(inside), judged=judged, notices=told)


def _called(names: Sequence[str]) -> str:
    return few([name or "an unnamed micrograph" for name in names])


def _homes(written: Iterable[str], archive: Archive, known: KnownPositions) -> dict[str, str | None]:
    """Return what coordinates call a micrograph → the micrograph, None where it is none of these.

    A file without rows says of its micrograph that there is nothing on it: the files' own names count too.
    """
    micrographs, files = MicrographNames(archive.names), [Path(file).name for file in known.files]
    home = {name: micrographs.find(name) for name in dict.fromkeys([*written, *files])}
    # One file and one micrograph belong together, whatever they are called.
    return home | ({files[0]: archive.names[0]} if len(files) == len(archive.names) == 1 else {})


def _upright(placed: Picks, archive: Archive, known: KnownPositions) -> Truth:
    """Turn positions into the frame of the micrographs themselves."""
    heights, widths = _shapes(placed, archive)
    pixel = archive.grids[0].pixel_size
    y, x, psi = CoordinateFrame(orientation=known.frame).upright(
        placed["y"] / pixel, placed["x"] / pixel, placed["psi"], height=heights, width=widths
    )
    # The view of a mirror image is not the particle's.
    views = ("rot", "tilt") if known.frame == "upright" else ()
    kept = {name: placed[name] for name in ("micrograph", "class", *views)}
    declared = {} if known.class_ is None else {"class": np.full(len(placed), known.class_)}
    return Truth(**{**kept, **declared, "y": y * pixel, "x": x * pixel, "psi": psi % 360.0})


def _on_a_pixel(truth: Truth, archive: Archive) -> Mask:
    """See `Grid.contains`, for points on micrographs of several shapes."""
    pixel = archive.grids[0].pixel_size
    within = [
        (truth[axis] / pixel >= -0.5) & (truth[axis] / pixel < n - 0.5)
        for axis, n in zip("yx", _shapes(truth, archive), strict=True)
    ]
    return np.logical_and.reduce(within)


def _shapes(table: Picks | Truth, archive: Archive) -> FloatArray:
    """Return rows and columns of the micrograph of every point, shape (2, n)."""
    shapes = {name: grid.shape for name, grid in zip(archive.names, archive.grids, strict=True)}
    return np.array([shapes[name] for name in table["micrograph"].tolist()]).reshape(-1, 2).T
