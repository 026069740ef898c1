"""Coordinates of many files brought onto the micrographs that they are about, and turned upright there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.io.frames import CoordinateFrame, Orientation
from simkit.io.names import MicrographNames, few


def homes(written: Iterable[str], files: Iterable[str], micrographs: Iterable[str]) -> dict[str, str | None]:
    """Return what coordinates call a micrograph → the micrograph, None where it is none of these.

    Parameters
    ----------
    written : iterable of str
        The column `micrograph` of the coordinates.
    files : iterable of str
        Names of the coordinate files. One without rows says of its micrograph that there is nothing on it:
        the files' own names count too.
    micrographs : iterable of str
        All there are.
    """
    there, listed = list(micrographs), [PurePath(file).name for file in files]
    known = MicrographNames(there)
    home = {name: known.find(name) for name in dict.fromkeys([*written, *listed])}
    # One file and one micrograph belong together, whatever they are called.
    return home | ({listed[0]: there[0]} if len(listed) == len(there) == 1 else {})


def called(names: Iterable[str]) -> str:
    """Spell out the names of micrographs for a message."""
    return few([name or "an unnamed micrograph" for name in names])


def shapes_of(table: Picks | Truth, shapes: Mapping[str, tuple[int, ...]]) -> FloatArray:
    """Return rows and columns of the micrograph of every point, shape (2, n)."""
    return np.array([shapes[name] for name in table["micrograph"].tolist()]).reshape(-1, 2).T


def upright(
    table: Picks, *, orientation: Orientation, shapes: Mapping[str, tuple[int, ...]], pixel_size: float
) -> Picks:
    """Undo what was done to the images that were picked.

    Parameters
    ----------
    table : Picks
        Positions in Å, unbinned, on micrographs of `shapes`.
    orientation : str
        See `CoordinateFrame`.
    shapes : mapping
        Micrograph → its rows and columns.
    pixel_size : float
        Å.

    Returns
    -------
    Picks
        In the frame of the micrographs themselves, ψ in [0, 360). The view of a mirror image is not the
        particle's, and is left out.
    """
    if orientation == "upright":
        return table.replace(psi=table["psi"] % 360.0)
    height, width = shapes_of(table, shapes)
    y, x, psi = CoordinateFrame(orientation=orientation).upright(
        table["y"] / pixel_size, table["x"] / pixel_size, table["psi"], height=height, width=width
    )
    return table.replace(y=y * pixel_size, x=x * pixel_size, psi=psi % 360.0, rot=np.nan, tilt=np.nan)
