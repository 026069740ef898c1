"""simkit's matched filter as a function, whole or with one defect that a suite must notice."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from simkit.core.grid import Grid
from simkit.picker.base import Found, Sight
from simkit.picker.matched_filter import MatchedFilter
from simkit.threshold.expected_false_picks import ExpectedFalsePicks

STEP = 10.0
"""Degrees between neighbouring angles of the shipped suite's templates."""

FACTORS = {"threshold_higher": 1.1, "threshold_lower": 0.9}

MUTATIONS = ("half_pixel", "sign_flip", "lower_recall", *FACTORS, "angle_step")


_searched: dict[bytes, Found] = {}


def search(sight: Sight) -> Found:
    """Mutants of one picker look at the same micrographs: each is searched once."""
    key = hashlib.sha256(sight.pixels.tobytes()).digest()
    if key not in _searched:
        _searched[key] = MatchedFilter(threshold=ExpectedFalsePicks(per_image=1.0)).pick(sight)
    return _searched[key]


def pick(pixels: Any, *, pixel_size: float, templates: Any, mask: Any, rng: Any, mutation: str) -> Any:
    sight = Sight(
        pixels=-pixels if mutation == "sign_flip" else pixels,
        grid=Grid(pixels.shape, pixel_size),
        banks=templates,
        spacing=None,
        noise_spectrum=None,
        mask=mask,
        rng=rng,
    )
    found = search(sight)
    picks = found.picks
    if mutation in FACTORS:
        assert found.candidates is not None
        level = found.threshold * FACTORS[mutation]
        picks = found.candidates.take(np.flatnonzero(found.candidates["score"] >= level))
    if mutation == "lower_recall":
        picks = picks.take(np.flatnonzero(rng.random(len(picks)) >= 0.05))
    columns = {name: picks[name] for name in ("y", "x", "psi", "score")}
    columns |= {name: columns[name] / pixel_size for name in ("y", "x")}
    if mutation == "half_pixel":
        columns["x"] = columns["x"] + 0.5
    if mutation == "angle_step":
        columns["psi"] = columns["psi"] + STEP
    return {**columns, "class": picks["class"].tolist(), "template": picks["template"].tolist()}
