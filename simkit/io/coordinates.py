"""Coordinates of any program, as Picks in Å: the registry of formats, and reading and writing through it.

`FORMATS` says of each format what its numbers mean, and `simkit.io.convention` applies exactly that, both
ways. What a file leaves open, its pixel size or that the image was flipped, is in a `CoordinateFrame`.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simkit.core.errors import DataError
from simkit.core.tables import Picks, Truth
from simkit.io.atomic import write_bytes_atomic
from simkit.io.box import read_box, write_box
from simkit.io.cbox import read_cbox, write_cbox
from simkit.io.convention import HOLDABLE, Format, Shape, to_picks, to_raw
from simkit.io.convention import CoordinateFrame as CoordinateFrame
from simkit.io.cryosparc import read_cs, write_cs
from simkit.io.csv_tables import read_csv, write_csv
from simkit.io.eman_json import read_eman_json, write_eman_json
from simkit.io.names import stem
from simkit.io.star import DECIMALS, read_star, write_star
from simkit.io.topaz import read_topaz, write_topaz

FORMATS: tuple[Format, ...] = (
    Format(
        name="gautomatch",
        title="Gautomatch STAR",
        suffixes=("_automatch.star",),
        position="centre",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=-1,
        first_class=0,
        holds=frozenset({"score", "psi", "class"}),
        decimals=None,
        source="written for RELION to read: ψ is taken to be RELION's, and only classes count from 0",
        read=read_star,
        write=None,
    ),
    Format(
        name="relion",
        title="RELION STAR",
        suffixes=(".star",),
        position="centre",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=-1,
        first_class=1,
        holds=frozenset(HOLDABLE),
        decimals=DECIMALS,
        source="RELION 5: autopicker.cpp, preprocessing.cpp, euler.cpp; see simkit.io.star",
        read=read_star,
        write=write_star,
    ),
    Format(
        name="box",
        title="EMAN1 box",
        suffixes=(".box",),
        position="corner + n // 2",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=0,
        first_class=None,
        holds=frozenset({"score"}),
        decimals=0,
        source="RELION preprocessing.cpp (x + w / 2 in integers), topaz conversions.py (x + w // 2)",
        read=read_box,
        write=write_box,
    ),
    Format(
        name="eman2",
        title="EMAN2 JSON",
        suffixes=(".json",),
        position="centre",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=0,
        first_class=None,
        holds=frozenset({"score"}),
        decimals=None,
        source="e2boxer; topaz conversions.py (coordinates_to_eman2_json)",
        read=read_eman_json,
        write=write_eman_json,
    ),
    Format(
        name="cryolo",
        title="crYOLO cbox",
        suffixes=(".cbox",),
        position="corner + n / 2",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=0,
        first_class=None,
        holds=frozenset({"score"}),
        decimals=None,
        source="crYOLO CoordsIO.py (lower left corner; STAR is x + w / 2)",
        read=read_cbox,
        write=write_cbox,
    ),
    Format(
        name="cryosparc",
        title="cryoSPARC cs",
        suffixes=(".cs",),
        position="centre",
        first_pixel=0,
        y_axis="up",
        unit="fraction",
        psi_sign=0,
        first_class=0,
        holds=frozenset({"micrograph", "score", "class"}),
        decimals=None,
        source="pyem cryosparc2.py; half a pixel of the searched image is open, see simkit.io.cryosparc",
        read=read_cs,
        write=write_cs,
    ),
    Format(
        name="topaz",
        title="topaz table",
        suffixes=(".txt",),
        position="centre",
        first_pixel=0,
        y_axis="down",
        unit="pixel",
        psi_sign=0,
        first_class=None,
        holds=frozenset({"micrograph", "score"}),
        decimals=0,
        source="topaz files.py and extract.py",
        read=read_topaz,
        write=write_topaz,
        recognises=lambda file, head: head.startswith(b"image_name"),
    ),
    Format(
        name="csv",
        title="CSV or TSV",
        suffixes=(".csv", ".tsv", ".txt"),
        position="centre",
        first_pixel=0,
        y_axis="down",
        unit="pixel or Å",
        psi_sign=1,
        first_class=None,
        holds=frozenset({"micrograph", "score", "psi", "class", "class name", "template", "view"}),
        decimals=None,
        source="simkit's own headers; X-Coordinate, Y-Coordinate as CryoPPP's experts write",
        read=read_csv,
        write=write_csv,
    ),
)
"""Every format, the more particular suffix before the more general one."""

SUFFIXES = tuple(dict.fromkeys(suffix for form in FORMATS for suffix in form.suffixes))

HEADLESS = frozenset({"box", "cryolo"})
"""Formats without a header: a file of 0 bytes is what their programs write when they find nothing."""


def format_named(name: str) -> Format:
    """Return a format of the registry.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    for form in FORMATS:
        if form.name == name:
            return form
    raise ValueError(
        f"there is no coordinate format {name!r}; there are {', '.join(f.name for f in FORMATS)}"
    )


def describe_formats() -> dict[str, str]:
    """Return format → a line about its conventions."""
    return {form.name: _described(form) for form in FORMATS}


def _described(form: Format) -> str:
    y_axis = "y down" if form.y_axis == "down" else "y from the bottom"
    psi = {1: "angle ψ", -1: "angle −ψ", 0: "no angle"}[form.psi_sign]
    classes = "" if form.first_class is None else f", classes from {form.first_class}"
    lacking = [thing for thing in HOLDABLE if thing not in form.holds]
    parts = [
        f"{form.title} ({' '.join(form.suffixes)}): {form.position}, {form.unit}, "
        f"first pixel {form.first_pixel}, {y_axis}, {psi}{classes}",
        *([f"cannot hold {', '.join(lacking)}"] if lacking else []),
        *(["read only"] if form.write is None else []),
        f"from {form.source}",
    ]
    return "; ".join(parts)


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
        The suffix, and where formats share one the content, names the format; see `FORMATS`.
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
        form = _format_of(file, format)
        return to_picks(form.read(file), form, used, str(file))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", str(file)) from error
    except UnicodeDecodeError as error:
        raise DataError("not a text file in UTF-8", str(file)) from error


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
        Where a file names no micrograph, `micrograph` is the file's own name; `micrograph_of` tells to which
        it belongs.

    Raises
    ------
    DataError
        If there is no file, or one of them cannot be read.
    """
    files = coordinate_files(paths, format=format)
    tables = [read_coordinates(file, frame=frame, format=format) for file in files]
    return Picks.concat([_about(table, file.name) for table, file in zip(tables, files, strict=True)])


def _about(table: Picks, name: str) -> Picks:
    return table if any(table["micrograph"].tolist()) else table.replace(micrograph=[name] * len(table))


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


def _format_of(file: Path, format: str | None) -> Format:
    """Return the format of an existing file."""
    possible = _by_suffix(file) if format is None else [_named(format, file)]
    if not possible:
        raise DataError(
            f"coordinates are read from {', '.join(SUFFIXES)}; convert it to one of them, or name its format",
            str(file),
        )
    if not file.is_file():
        raise DataError("there is no such file", str(file))
    with file.open("rb") as stream:
        head = stream.read(256)
    form = next((form for form in possible if form.recognises(file, head)), possible[-1])
    if not head and form.name not in HEADLESS:
        raise DataError(f"the file is empty; a {form.title} without picks still has its header", str(file))
    return form


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

    Raises
    ------
    DataError
        If the suffix is unknown, the format needs what is not given or cannot tell the micrographs apart, or
        the file cannot be written.
    """
    file = Path(path)
    form = writable_format(file, format)
    names = list(dict.fromkeys(table["micrograph"].tolist()))
    if "*" in file.name:
        parts = {_unstarred(file, name): table.take(table["micrograph"] == name) for name in names}
        if len(parts) < len(names):
            raise DataError("two micrographs of one name would share a file", str(file))
    elif len(names) > 1 and "micrograph" not in form.holds:
        raise DataError(
            f"{form.title} is about one micrograph, and these are {len(names)}; "
            f"put * where its name should be, as in '*{form.suffixes[0]}'",
            str(file),
        )
    else:
        parts = {file: table}
    for part, rows in parts.items():
        try:
            data = encode_coordinates(
                rows, format=form.name, pixel_size=pixel_size, shape=shape, box=box, classes=classes
            )
        except ValueError as error:
            raise DataError(str(error), str(part)) from error
        write_bytes_atomic(part, data)


def writable_format(file: Path, format: str | None = None) -> Format:
    """Return the format to write a file in.

    Raises
    ------
    DataError
        If no format that is written ends like that.
    """
    if format is not None:
        return _named(format, file)
    written = {form.suffixes[0]: form for form in FORMATS if form.write is not None}
    for suffix, form in written.items():
        if file.name.lower().endswith(suffix):
            return form
    raise DataError(
        f"coordinates are written to {', '.join(written)}; end the name in one of them", str(file)
    )


def _unstarred(file: Path, micrograph: str) -> Path:
    return file.with_name(file.name.replace("*", stem(micrograph)))
