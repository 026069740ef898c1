"""Coordinates of any program, as Picks in Å: reading and writing files and sets of files.

What the numbers of a format mean stands in `simkit.io.formats`. What a file leaves open, its pixel size or
that the image was flipped, is in a `CoordinateFrame`: it is asked for, never guessed.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simkit.core.errors import DataError
from simkit.core.tables import Picks, Truth
from simkit.io.atomic import write_bytes_atomic
from simkit.io.convention import Format, Shape, to_picks, to_raw
from simkit.io.formats import FORMATS as FORMATS
from simkit.io.formats import HEADLESS, SUFFIXES, format_named
from simkit.io.formats import describe_formats as describe_formats
from simkit.io.frames import CoordinateFrame as CoordinateFrame
from simkit.io.names import stem
from simkit.io.relion import in_project, listed_files

HEAD = 512
"""Bytes by which formats of the same suffix are told apart."""


def read_coordinates(
    path: str | Path,
    *,
    pixel_size: float | None = None,
    frame: CoordinateFrame | None = None,
    format: str | None = None,
) -> Picks:
    """Read particle positions from a file of any program.

    Parameters
    ----------
    path : str or Path
        The suffix, and where formats share one the content, names the format; see `FORMATS`. RELION's
        ``autopick.star``, a list of coordinate files, stands for the files that it lists.
    pixel_size : float, optional
        Å, for positions in pixels; it goes before what the frame and the file say.
    frame : CoordinateFrame, optional
        How the numbers relate to the micrograph; directly by default.
    format : str, optional
        Name of the format, where suffix and content do not tell or tell wrongly.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format, or leaves open what is needed.
    """
    file, used = Path(path), frame or CoordinateFrame()
    if pixel_size is not None:
        used = replace(used, pixel_size=pixel_size)
    try:
        form, head = format_of(file, format)
        if form.name == "relion" and b"data_coordinate_files" in head:
            return _read_listed(file, used)
        return to_picks(form.read(file), form, used, str(file))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", str(file)) from error
    except UnicodeDecodeError as error:
        raise DataError("not a text file in UTF-8", str(file)) from error


def _read_listed(file: Path, frame: CoordinateFrame) -> Picks:
    tables = []
    for micrograph, name in listed_files(file).items():
        table = read_coordinates(in_project(file, name), frame=frame)
        tables.append(table.replace(micrograph=micrograph))
    return Picks.concat(tables)


def read_coordinate_set(
    paths: str | Path | Sequence[str | Path],
    *,
    frame: CoordinateFrame | None = None,
    format: str | None = None,
) -> Picks:
    """Read the files of one set, in the order of their names.

    Parameters
    ----------
    paths : str, Path or sequence
        A folder, a file, a pattern such as ``"picks/*.box"``, or a list of them.
    frame : CoordinateFrame, optional
        How the numbers of all relate to their micrographs; directly by default.
    format : str, optional
        See `read_coordinates`.

    Returns
    -------
    Picks
        Where a file names no micrograph, `micrograph` is the file's own name; `MicrographNames.find`
        tells to which it belongs.

    Raises
    ------
    DataError
        If there is no file, or one of them cannot be read.
    """
    files = coordinate_files(paths, format=format)
    tables = [read_coordinates(file, frame=frame, format=format) for file in files]
    return Picks.concat([_about(table, file.name) for table, file in zip(tables, files, strict=True)])


def _about(table: Picks, name: str) -> Picks:
    return table if any(table.codes("micrograph")[1]) else table.replace(micrograph=name)


def coordinate_files(
    paths: str | Path | Sequence[str | Path], *, format: str | None = None
) -> tuple[Path, ...]:
    """Return the files of a set, sorted; of a folder those that end like the format, or like any.

    Raises
    ------
    DataError
        If there is none.
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    return tuple(file for path in listed for file in _expanded(Path(path), format))


def _expanded(path: Path, format: str | None) -> list[Path]:
    if path.is_dir():
        suffixes = SUFFIXES if format is None else _named(format, path).suffixes
        found = [file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(suffixes)]
        if not found:
            raise DataError(f"no file in it ends in {', '.join(suffixes)}", str(path))
    elif glob.has_magic(str(path)) and not path.exists():
        found = [file for name in glob.glob(str(path), recursive=True) if (file := Path(name)).is_file()]
        if not found:
            raise DataError("no file is called that", str(path))
    else:
        return [path]
    return sorted(found)


def _named(format: str, file: Path) -> Format:
    try:
        return format_named(format)
    except ValueError as error:
        raise DataError(str(error), str(file)) from error


def format_of(file: Path, format: str | None) -> tuple[Format, bytes]:
    """Return the format of an existing file, and its first bytes."""
    possible = _by_suffix(file) if format is None else [_named(format, file)]
    if not possible:
        raise DataError(
            f"coordinates are read from {', '.join(SUFFIXES)}; convert it to one of them, or name its format",
            str(file),
        )
    if not file.is_file():
        raise DataError("there is no such file", str(file))
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    form = next((form for form in possible if form.recognises(file, head)), possible[-1])
    if not head and form.name not in HEADLESS:
        raise DataError(f"the file is empty; a {form.title} without picks still has its header", str(file))
    return form, head


def _by_suffix(file: Path) -> list[Format]:
    return [form for form in FORMATS if file.name.lower().endswith(form.suffixes)]


def encode_coordinates(
    table: Picks | Truth,
    *,
    format: str,
    pixel_size: float,
    shape: Shape | None = None,
    box: float | None = None,
    classes: Sequence[str] = (),
) -> bytes:
    """Return the content of a coordinate file.

    Parameters
    ----------
    table : Picks or Truth
        Upright positions in Å.
    format : str
        Name of the format; what it cannot hold is left out, and positions are rounded to its `decimals`.
    pixel_size : float
        Å of the micrographs.
    shape : tuple or mapping, optional
        Rows and columns of the micrographs in px, of all or by name, for formats that count fractions.
    box : float, optional
        Side of the boxes in px, for formats that hold corners.
    classes : sequence of str
        Classes in the order of their numbers; without it, classes that are numbers keep them.

    Raises
    ------
    ValueError
        If the format is not written, or `box` or `shape` is needed and not given.
    """
    form = format_named(format)
    if form.write is None:
        raise ValueError(f"{form.title} is only read; write relion instead")
    return form.write(to_raw(table, form, pixel_size=pixel_size, shape=shape, box=box, classes=classes))


def write_coordinates(
    path: str | Path,
    table: Picks | Truth,
    *,
    format: str | None = None,
    pixel_size: float,
    shape: Shape | None = None,
    box: float | None = None,
    classes: Sequence[str] = (),
    micrographs: Sequence[str] = (),
) -> None:
    """Write positions so that another program reads them; see `encode_coordinates`.

    Parameters
    ----------
    path : str or Path
        Where. A ``*`` stands for the micrograph, and there is a file for each: ``"picks/*.box"``.
    table, pixel_size, shape, box, classes
        See `encode_coordinates`.
    format : str, optional
        By the suffix if not given.
    micrographs : sequence of str
        Those that were searched: one without positions gets a file too, which says so.

    Raises
    ------
    DataError
        If the suffix is unknown, the format needs what is not given or cannot tell the micrographs apart, or
        the file cannot be written.
    """
    form = writable_format(Path(path), format)
    rows_of = dict.fromkeys(micrographs, table.take([])) | table.split("micrograph")
    targets = target_files(path, list(rows_of), format=format)
    parts = {targets[name]: rows for name, rows in rows_of.items()} if "*" in Path(path).name else None
    for part, rows in (parts or {Path(path): table}).items():
        try:
            data = encode_coordinates(
                rows, format=form.name, pixel_size=pixel_size, shape=shape, box=box, classes=classes
            )
        except ValueError as error:
            raise DataError(str(error), str(part)) from error
        write_bytes_atomic(part, data)


def target_files(
    path: str | Path, micrographs: Sequence[str], *, format: str | None = None
) -> dict[str, Path]:
    """Return micrograph → the file that its positions will be written to.

    Parameters
    ----------
    path, format
        See `write_coordinates`.
    micrographs : sequence of str
        All there will be.

    Raises
    ------
    DataError
        If the suffix is unknown, or the format cannot tell the micrographs apart.
    """
    file = Path(path)
    form = writable_format(file, format)
    if "*" in file.name:
        targets = {name: _unstarred(file, name) for name in micrographs}
        if len(set(targets.values())) < len(targets):
            raise DataError("two micrographs of one name would share a file", str(file))
        return targets
    if len(micrographs) > 1 and "micrograph" not in form.holds:
        raise DataError(
            f"{form.title} is about one micrograph, and these are {len(micrographs)}; "
            f"put * where its name should be, as in '*{form.suffixes[0]}'",
            str(file),
        )
    return dict.fromkeys(micrographs, file)


def writable_format(file: Path, format: str | None = None) -> Format:
    """Return the format to write a file in.

    Raises
    ------
    DataError
        If no format that is written ends like that.
    """
    if format is not None:
        form = _named(format, file)
        if form.write is None:
            raise DataError(f"{form.title} is only read; write relion instead", str(file))
        return form
    written = {form.suffixes[0]: form for form in FORMATS if form.write is not None}
    for suffix, form in written.items():
        if file.name.lower().endswith(suffix):
            return form
    raise DataError(
        f"coordinates are written to {', '.join(written)}; end the name in one of them", str(file)
    )


def _unstarred(file: Path, micrograph: str) -> Path:
    return file.with_name(file.name.replace("*", stem(micrograph)))
