"""Command lines with placeholders: what they may hold, and what the program is called with."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

MICROGRAPHS = "micrographs"
"""Stands alone, for as many arguments as there are micrographs."""

PLACEHOLDERS = {
    MICROGRAPHS: "the files of the micrographs, an argument each",
    "micrograph": "the file of the micrograph, of a program that is started for each",
    "micrograph_folder": "the folder that holds the micrographs",
    "out": "the file to write picks to",
    "out_folder": "the folder to write picks to, which is also the working directory",
    "templates": "an MRC stack of the templates",
    "pixel_size": "Å",
    "seed": "a whole number for the program's random choices",
    "python": "the Python that runs simkit",
}
"""Placeholder → what stands in its place."""


def placeholders(argument: str) -> set[str]:
    """Return the placeholders in an argument.

    Raises
    ------
    ValueError
        If a brace is left open, or holds something else than one of `PLACEHOLDERS`.
    """
    try:
        parts = list(string.Formatter().parse(argument))
    except ValueError as error:
        raise ValueError(f"{argument!r}: {error}; a brace that is meant is written twice") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(
                f"{argument!r} has {{{name}}}; there are {known}; a brace that is meant is written twice"
            )
    found = {name for _, name, _, _ in parts if name is not None}
    if MICROGRAPHS in found and argument != f"{{{MICROGRAPHS}}}":
        raise ValueError(f"{argument!r}: {{{MICROGRAPHS}}} is several arguments and must stand alone")
    return found


def filled(argv: Sequence[str], values: Mapping[str, str], micrographs: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments with every placeholder replaced.

    Parameters
    ----------
    argv : sequence of str
        As `placeholders` takes them.
    values : mapping
        Placeholder → its text, of all but ``{micrographs}``.
    micrographs : sequence of str
        Files.
    """
    arguments: list[str] = []
    for argument in argv:
        arguments += micrographs if argument == f"{{{MICROGRAPHS}}}" else [argument.format_map(values)]
    return tuple(arguments)
