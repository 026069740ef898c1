"""The table of a crystal's empty sites."""

from __future__ import annotations

from types import MappingProxyType

from simkit.core.tables import Column, Table


class Holes(Table):
    """Sites within a crystal at which a picker found nothing, by h and then k."""

    columns = MappingProxyType(
        {
            "micrograph": Column(str, "", "name of the micrograph"),
            "h": Column(int, "", "lattice index along a"),
            "k": Column(int, "", "lattice index along b"),
            "y": Column(float, "Å", "the site, down from the centre of pixel (0, 0)"),
            "x": Column(float, "Å", "the site, right from the centre of pixel (0, 0)"),
            "score": Column(float, "", "best peak there, not high enough; NaN where there is none"),
        }
    )
