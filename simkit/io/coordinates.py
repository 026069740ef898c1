"""Coordinates from outside, whatever program wrote them, as Picks in Å."""

from __future__ import annotations

from pathlib import Path

from simkit.core.errors import DataError
from simkit.core.tables import Picks
from simkit.io.csv_tables import read_csv
from simkit.io.star import read_star

_READERS = {".star": read_star, ".csv": read_csv}


def read_coordinates(path: str | Path, *, pixel_size: float | None = None) -> Picks:
    """Read particle positions from a STAR or CSV file.

    Parameters
    ----------
    path : str or Path
        ``.star`` (RELION vocabulary, see `simkit.io.star`) or ``.csv`` (see `simkit.io.csv_tables`).
    pixel_size : float, optional
        Å, for positions in pixels; it goes before what the file itself says.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format, or leaves a unit open.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DataError("coordinates are read from .star and .csv; convert it to one of them", str(file))
    if not file.is_file():
        raise DataError("there is no such file", str(file))
    try:
        return reader(file, pixel_size)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", str(file)) from error
    except UnicodeDecodeError as error:
        raise DataError("not a text file in UTF-8", str(file)) from error
