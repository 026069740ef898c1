"""How far a picker is from what physics allows, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank
from simkit.engine.results import RunResult
from simkit.reports.elements import Table
from simkit.reports.glossary import GLOSSARY
from simkit.reports.marks import sought
from simkit.reports.wording import kind, number
from simkit.theory.outliers import LOWEST_REACHABLE

NEAR = 0.9
"""Efficiency from which on nothing needs an explanation."""

COARSE = 0.05
"""Share of the score lost from which on it is a reason."""

BETWEEN = 0.2
"""The same halfway between two angles: less is made good by the quadratic through a peak's neighbours."""

MEAN = 0.05
"""Share of a particle's energy in the mean over its box from which on a zero-mean template misses it."""

LOST = 0.01
"""Share of the templates' energy lost by a coarse search from which on it matters."""

STRONG = 0.1
"""SNR of a copy from which on it raises the contrast around it notably."""

EFFICIENCIES = {"eta_detection": "detection", "eta_localisation": "localisation"}
"""Metric → what it is the efficiency of."""


def efficiency_table(result: RunResult, picker: str) -> Table | None:
    """List how efficient a picker is, with the likely reasons where it is not; None where it is unknown."""
    values = result.judgements[picker].values["all"]
    rows = []
    for metric, name in EFFICIENCIES.items():
        value = values.get(metric)
        if value is not None:
            why = "" if value >= NEAR else _sentence(list(_reasons(result, picker, metric)))
            rows.append([name, number(value, digits=3), why])
    glossary = {name: GLOSSARY[metric] for metric, name in EFFICIENCIES.items()}
    columns = ["", "efficiency η", "likely reasons, from the scenario"]
    caption = f"How close {picker} comes to what physics allows (1: it cannot be improved)"
    return Table(caption, columns, rows, glossary, words={2}) if rows else None


def _sentence(reasons: list[str]) -> str:
    return f"{'; '.join(reasons)}." if reasons else "None that the scenario tells."


def _reasons(result: RunResult, picker: str, metric: str) -> Iterator[str]:
    """Yield why a picker falls short, each as a clause."""
    if metric == "eta_localisation":
        yield from _beyond_reach(result, picker)
    yield from _of_kind(result, picker)
    yield from _of_templates(result, picker)
    lost = result.pickers[picker].first.notes.get("lost_energy", 0.0)
    if lost > LOST:
        yield f"its coarse search loses {100 * lost:.2g} % of the templates’ energy"


def _beyond_reach(result: RunResult, picker: str) -> Iterator[str]:
    known = result.ceiling.species if result.ceiling else {}
    for name in sought(result, picker):
        if name in known and not known[name].reachable:
            yield (
                f"d′ of {name} is {number(known[name].d_prime, digits=2)}, below {LOWEST_REACHABLE:g}: the "
                "limit is out of reach and gross outliers are expected"
            )


def _of_kind(result: RunResult, picker: str) -> Iterator[str]:
    spec = result.scenario.pickers[picker]
    what = kind(spec)
    if what in ("ncc", "correlation") and result.first is not None and coloured(result.first.noise_spectrum):
        yield "it does not whiten, though the noise is coloured"
    if what == "ncc" and _contrast(result, picker) > STRONG:
        yield "it divides by the local contrast, which the particle itself raises"
    if what == "phase":
        yield "it compares phases alone, so that weak frequencies count as much as strong ones"
    if what == "matched_filter" and getattr(spec, "noise", "") == "estimated":
        yield "it estimates the spectrum of the noise from the micrograph, where faint particles may be left"


def _contrast(result: RunResult, picker: str) -> float:
    facts = result.first.facts if result.first is not None else {}
    return max((facts.get(f"snr.{name}") or 0.0 for name in sought(result, picker)), default=0.0)


def coloured(spectrum: FloatArray) -> bool:
    """Tell whether the power of noise (real-FFT layout) differs between frequencies, zero left out."""
    power = np.asarray(spectrum, float).ravel()[1:]
    return bool(power.size and np.ptp(power) > 0.01 * power.max())


def in_the_mean(bank: TemplateBank) -> float:
    """Return the share of a particle's energy that its mean over the template's box holds.

    Around the particle there is nothing, so what the first view has along the border of its box, median over
    the pixels, is the mean that was taken away to make it zero-mean.
    """
    image = bank.images[0]
    inside = np.zeros(image.shape, bool)
    inside[(slice(1, -1),) * image.ndim] = True
    energy = image.size * float(np.median(image[~inside])) ** 2
    return energy / (energy + float((image**2).sum()))


def _of_templates(result: RunResult, picker: str) -> Iterator[str]:
    scenario = result.scenario
    white = result.first is not None and not coloured(result.first.noise_spectrum)
    for name, banks in result.banks_of(picker).items():
        spec = scenario.templates.get(name)
        if white and (missed := in_the_mean(banks[0])) > MEAN:
            yield (
                f"its template {name} is zero-mean, and {100 * missed:.2g} % of a particle’s energy is in "
                "its mean over the template’s box"
            )
        if scenario.psf and getattr(spec, "optics", "scenario") == "none":
            optics = "CTF" if any(kind(psf) == "ctf" for psf in scenario.psf.values()) else "optics"
            yield f"its template {name} has no {optics} in it"
        if kind(spec) == "crop":
            yield f"its template {name} is cut from a micrograph and carries that one’s noise"
        yield from _of_angles(result, banks)


def _of_angles(result: RunResult, banks: tuple[TemplateBank, ...]) -> Iterator[str]:
    name, finds = banks[0].name, banks[0].finds
    truth = result.truth.take(result.truth["class"] == finds)
    if len(banks) == 1 and _differ(truth["tilt"]):
        yield f"its template {name} shows one view of a solid that is seen from many"
    if len(banks[0].angles) == 1 and _differ(truth["psi"]) and lost_by_turning(banks[0], TURN) > COARSE:
        yield f"its template {name} is tried at one angle, and the particles lie at many"
    step = banks[0].step
    if step is not None and (lost := lost_by_turning(banks[0], step / 2)) > BETWEEN:
        yield (
            f"the angles of {name} are {number(step)}° apart, too coarse: halfway {100 * lost:.2g} % of the "
            "score is lost"
        )


def _differ(angles: FloatArray) -> bool:
    known = angles[np.isfinite(angles)]
    return known.size > 1 and bool(np.ptp(known) > 0)


TURN = 37.0
"""Degrees by which only what is round, or nearly, can be turned and look the same."""


def lost_by_turning(bank: TemplateBank, angle: float) -> float:
    """Return the share of the score that the first view loses on a particle turned by an angle in degrees."""
    view = bank.images[0]
    if view.ndim == 1:
        return 0.0
    turned = ndimage.rotate(view, angle, reshape=False, mode="nearest")
    turned -= turned.mean()
    return 1 - float((view * turned).sum() / np.linalg.norm(turned))
