"""Micrographs that were measured, and what is known of the particles in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from simkit.core.errors import DataError
from simkit.core.paths import DataFiles
from simkit.core.quantity import LENGTH, PositiveLength, PositiveNumber
from simkit.core.spec import Spec
from simkit.io.images import open_image
from simkit.io.relion import listed_micrographs

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


def _listed(files: tuple[str, ...]) -> tuple[str, ...]:
    """Put in place of every STAR file the images that it lists."""
    found: list[str] = []
    for file in files:
        try:
            found += map(str, listed_micrographs(Path(file))) if file.lower().endswith(".star") else [file]
        except (DataError, OSError, UnicodeDecodeError) as error:
            message = str(error) if isinstance(error, DataError) else f"{file} is not a STAR file ({error})"
            raise PydanticCustomError("star", "{message}", {"message": message}) from error
    return tuple(dict.fromkeys(found))


ImageFiles = Annotated[DataFiles, AfterValidator(_listed)]
"""Image files, some of them perhaps as RELION's list of them."""


class KnownPositions(Spec):
    """Positions that somebody vouches for, from coordinate files of any registered format.

    A file that names no micrograph is about the one whose name its own begins with.
    """

    files: DataFiles
    """Coordinate files."""

    complete: Annotated[bool, Strict()]
    """false: particles may be missing from it, so a pick without one is unlabelled rather than false, and
    precision is a lower bound."""

    class_: ClassName | None = Field(default=None, alias="class")
    """The species of all of them; what the files themselves say by default."""

    format: str | None = None
    """Name of the files' format (`simkit list coordinates`); by their names and content by default."""

    pixel_size: PositiveLength | None = None
    """Edge of the pixels that the positions count, before binning; that of the micrographs by default."""

    frame: Literal["upright", "flipped-y", "flipped-x", "transposed"] = "upright"
    """Where the positions count from: flipped-y, from the last row of the micrograph."""

    binning: PositiveNumber = 1.0
    """How many times coarser the image was on which the positions count pixels."""


class Micrographs(Spec):
    """Images from files, in place of specimen, background and noise."""

    files: ImageFiles
    """MRC, TIFF, PNG, JPEG, NPY, HDF5 …, or a ``.star`` list; a micrograph is called as its file is."""

    pixel_size: PositiveLength | None = None
    """Edge of a pixel; from the headers by default."""

    truth: KnownPositions | None = None
    """What is known of the particles in them; without it picks are shown and not judged."""


PLACEHOLDER = {"pixel_size": LENGTH.write(1.0)}
"""Stands for the image section while the `micrographs:` section itself is wrong, which is then said."""


def image_section(written: Any, info: ValidationInfo) -> dict[str, Any]:
    """Return the image section that a raw `micrographs:` section implies: the size of a pixel.

    Raises
    ------
    PydanticCustomError
        If neither the section nor the header of the first file says it.
    """
    if not isinstance(written, dict):
        return PLACEHOLDER
    try:
        if (declared := written.get("pixel_size")) is not None:
            TypeAdapter(PositiveLength).validate_python(declared, context=info.context)
            return {"pixel_size": declared}
        first = TypeAdapter(ImageFiles).validate_python(written.get("files"), context=info.context)[0]
        size = open_image(first).pixel_size
    except (ValidationError, DataError):
        return PLACEHOLDER
    if size is None:
        raise PydanticCustomError(
            "pixel_size",
            "{file} does not say how large its pixels are; write for example `pixel_size: 1.5 Å` "
            "under `micrographs:`",
            {"file": first},
        )
    return {"pixel_size": LENGTH.write(size)}
