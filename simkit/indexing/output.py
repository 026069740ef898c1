"""A lattice as data for other programs: JSON and CSV, in Å where the pixel size is known."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np

from simkit.core.grid import FloatArray
from simkit.indexing.lattice import FoundLattice, NoLattice
from simkit.indexing.sites import Sites
from simkit.indexing.spectrum import Spots
from simkit.io.csv_tables import SUFFIX, cell

PIXELS = ("y", "x")
"""Columns that are given in pixels as well as in Å."""


def lattice_data(
    found: FoundLattice | NoLattice, *, name: str, shape: tuple[int, ...], pixel_size: float | None
) -> dict[str, Any]:
    """Return everything that was found, but the single sites.

    Parameters
    ----------
    found : FoundLattice or NoLattice
        The answer.
    name : str
        Of the image.
    shape : tuple of int
        Of the image.
    pixel_size : float or None
        Å; None leaves all lengths in pixels.
    """
    unit, scale = ("px", 1.0) if pixel_size is None else ("Å", pixel_size)
    head = {
        "schema_version": 1,
        "image": name,
        "shape": list(shape),
        "pixel_size": pixel_size,
        "unit": unit,
        "found": isinstance(found, FoundLattice),
    }
    if isinstance(found, NoLattice):
        spots = _spots(found.spots, shape, scale)
        return {**head, "reason": found.reason, "spots": spots}
    cell, sites = found.cell, found.sites
    lengths, errors = cell.lengths() * scale, cell.length_errors() * scale
    indexed = _spots(found.spots, shape, scale)
    for row, hk, stands in zip(
        indexed, found.reciprocal.indices.astype(int).tolist(), found.reciprocal.explained, strict=True
    ):
        row |= {"h": hk[0], "k": hk[1], "explained": bool(stands)}
    judged = found.confidence
    return {
        **head,
        "cell": {
            "a": _with_error(lengths[0], errors[0]),
            "b": _with_error(lengths[1], errors[1]),
            "gamma": _with_error(cell.gamma(), cell.gamma_error()),
            "direction_of_a": cell.direction(),
            "a_yx": (cell.basis[0] * scale).tolist(),
            "b_yx": (cell.basis[1] * scale).tolist(),
            "origin_yx": (cell.origin * scale).tolist(),
        },
        "net": found.net,
        "columns": "bright" if found.motif.polarity > 0 else "dark",
        "sites": {
            "total": len(sites),
            "fitted": cell.sites,
            "independent": cell.independent,
            "vacant": int(sites["vacant"].sum()) if found.resolved else None,
            "outside": int(sites["outside"].sum()),
            "edge": int(sites["edge"].sum()),
        },
        "distortion": {
            "rms_displacement": cell.scatter * scale,
            "rms_smooth_displacement": _rms(sites["smooth_dy"], sites["smooth_dx"]) * scale,
            **{f"rms_{name}": _or_none(_rms(sites[name])) for name in ("exx", "eyy", "exy", "turn")},
        },
        "confidence": {
            "level": judged.level,
            "reasons": list(judged.reasons),
            "explained_power": judged.explained,
            "covered": judged.covered,
            "turn_over_tiles": judged.turn,
            "stretch_over_tiles": judged.stretch,
        },
        "spots": indexed,
    }


def _with_error(value: float, error: float) -> dict[str, float]:
    return {"value": float(value), "standard_error": float(error)}


def _rms(*components: FloatArray) -> float:
    squares = np.sum([c**2 for c in components], axis=0)
    known = squares[np.isfinite(squares)]
    return float(np.sqrt(known.mean())) if len(known) else math.nan


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _spots(spots: Spots, shape: tuple[int, ...], scale: float) -> list[dict[str, Any]]:
    total = float(spots.power.sum()) or math.nan
    frequencies = spots.steps / np.array(shape) / scale
    return [
        {"frequency_yx": f.tolist(), "power_share": _or_none(p / total), "snr": _or_none(float(s))}
        for f, p, s in zip(frequencies, spots.power, spots.snr, strict=True)
    ]


def sites_csv(sites: Sites, *, pixel_size: float | None) -> str:
    """Return every site as CSV: units in the headers, an empty cell where nothing was measured.

    Parameters
    ----------
    sites : Sites
        The sites.
    pixel_size : float or None
        Å; None leaves out the columns in Å.
    """
    columns: dict[str, list[str]] = {}
    for name, column in sites.columns.items():
        values = sites[name]
        if column.unit != "px":
            columns[name + SUFFIX[column.unit]] = [cell(v) for v in values.tolist()]
            continue
        if pixel_size is not None:
            columns[f"{name}_A"] = [cell(v) for v in (values * pixel_size).tolist()]
        if pixel_size is None or name in PIXELS:
            columns[f"{name}_px"] = [cell(v) for v in values.tolist()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
