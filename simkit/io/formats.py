"""The registry of coordinate formats: what the numbers of each mean, and how that is known.

`simkit.io.convention` applies exactly what stands here, when reading and when writing.
"""

from __future__ import annotations

from dataclasses import replace

from simkit.io.box import read_box, write_box
from simkit.io.cbox import read_cbox, write_cbox
from simkit.io.convention import HOLDABLE, Format
from simkit.io.cryosparc import read_cs, write_cs
from simkit.io.csv_tables import read_csv, write_csv, write_tsv
from simkit.io.eman_json import read_eman_json, write_eman_json
from simkit.io.relion import DECIMALS, read_star, write_star
from simkit.io.topaz import read_topaz, write_topaz

_CSV = Format(
    name="csv",
    title="CSV",
    suffixes=(".csv", ".txt"),
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
)

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
        source="RELION 5: autopicker.cpp, preprocessing.cpp, euler.cpp; see simkit.io.relion",
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
        pixels_of="searched image",
        recognises=lambda file, head: head.startswith(b"image_name"),
    ),
    replace(_CSV, name="tsv", title="TSV", suffixes=(".tsv",), write=write_tsv),
    _CSV,
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
        f"{form.title} ({' '.join(form.suffixes)}): {form.position}, {form.unit} of the {form.pixels_of}, "
        f"first pixel {form.first_pixel}, {y_axis}, {psi}{classes}",
        *([f"cannot hold {', '.join(lacking)}"] if lacking else []),
        *(["read only"] if form.write is None else []),
        f"from {form.source}",
    ]
    return "; ".join(parts)
