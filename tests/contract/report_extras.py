"""What the judge adds to a finished run, invented by hand: curves, strata, limits, nulls, comparisons."""

from __future__ import annotations

import dataclasses

import numpy as np

from simkit.engine.ceiling import Ceiling, LatticeCeiling, SpeciesCeiling
from simkit.engine.nulls import Ghost, NullRun, PickerNull
from simkit.engine.results import Judgement, RunResult
from simkit.judging.comparison import PairedComparison
from simkit.judging.confusion import Confusion
from simkit.judging.curve import Curve, RadiusCurve
from simkit.judging.strata import Stratum
from simkit.matching.published.base import PublishedScore
from simkit.theory.observer import IdealCurve

IDEAL = IdealCurve(
    level=np.linspace(0, 10, 41),
    recall=np.linspace(1, 0.2, 41),
    false_per_image=10.0 ** np.linspace(2, -4, 41),
    particles_per_image=17.0,
    area=1.3,
)


def judged_in_full(result: RunResult) -> RunResult:
    """Add everything that a run may hold about every picker, and about what physics allows."""
    judgements = {name: _judged(result, name, j) for name, j in result.judgements.items()}
    names = [name for name, j in judgements.items() if not j.oracle]
    return dataclasses.replace(
        result,
        truth=_with_limits(result),
        judgements=judgements,
        ceiling=ceiling(result),
        nulls=nulls(names),
        comparisons=comparisons(names),
    )


def _with_limits(result: RunResult):  # type: ignore[no-untyped-def]
    n = len(result.truth)
    return result.truth.replace(d_prime=np.linspace(4, 12, n), sigma_y=2.0, sigma_x=1.5, sigma_psi=3.0)


def ceiling(result: RunResult) -> Ceiling:
    """Limits of every species: the first within reach, the others not."""
    species = {
        name: SpeciesCeiling(
            d_prime=9.0 if i == 0 else 4.5,
            d_prime_range=(8.0, 10.0) if i == 0 else (4.5, 4.5),
            sigma_y=1.25,
            sigma_x=1.5,
            sigma_psi=np.nan if i == 0 else 2.5,
            outliers=0.001 if i == 0 else 0.2,
        )
        for i, name in enumerate(result.scenario.specimen)
    }
    lattices = {name: LatticeCeiling(400, 0.01, 0.012, 0.2) for name in list(species)[:1]}
    return Ceiling(species, IDEAL, dict.fromkeys(species, IDEAL), lattices)


def _judged(result: RunResult, name: str, judgement: Judgement) -> Judgement:
    values = {
        c: {**v, "oracle_f1": 0.91, "eta_detection": 0.62, "eta_localisation": 0.95}
        for c, v in judgement.values.items()
    }
    interval = {"recall": (0.61, 0.93), "precision": (0.5, 0.97), "f1": (0.6, 0.9)}
    return dataclasses.replace(
        judgement,
        values=values,
        threshold="expected false picks, 1 per image",
        intervals=dict.fromkeys(values, interval),
        resampled="2 micrographs",
        curves={"all": curve(result, name)},
        by_radius=radii(),
        strata=STRATA,
        confusion=Confusion(("ring", "disk"), ("ring", "disk"), np.array([[7, 1, 1], [0, 6, 2], [3, 1, 0]])),
        published=PUBLISHED,
    )


def curve(result: RunResult, name: str) -> Curve:
    """Count hits and others from the best score down."""
    picks, judgement = result.pickers[name].picks, result.judgements[name]
    order = np.argsort(-picks["score"], kind="stable")
    hit = np.isin(order, judgement.match.pick)
    images = len(result.micrograph_names)
    return Curve(
        picks["score"][order], np.cumsum(hit), np.cumsum(~hit), len(result.truth), images, 1.3 * images
    )


def radii() -> RadiusCurve:
    """Scores that rise with the radius, as chance does."""
    r = np.linspace(0, 60, 31)
    rise = 1 - np.exp(-r / 8)
    return RadiusCurve(r, 0.9 * rise, 0.8 * rise, 0.85 * rise, np.pi * r**2 / 1.3e5 * 3)


STRATA = (
    Stratum("class", "disk", 8, 6, 0.75, (0.41, 0.93), 2.1, 9, 0.67),
    Stratum("class", "ring", 9, 8, 0.89, (0.57, 0.98), 1.7, 10, 0.8),
    Stratum("d_prime", "4 to 6", 5, 2, 0.4, (0.12, 0.77), 3.2),
    Stratum("d_prime", "6 to 8", 6, 6, 1.0, (0.61, 1.0), 1.9),
    Stratum("d_prime", "8 to 12", 6, 6, 1.0, (0.61, 1.0), 1.4),
    Stratum("border", "over 100 Å", 13, 13, 1.0, (0.77, 1.0), 1.8),
    Stratum("border", "up to 100 Å", 4, 1, 0.25, (0.05, 0.7), None),
)

PUBLISHED = (
    PublishedScore(
        "czii", "CZII cryoET 2024, compute_metrics", 15, -1, 2, 1.07, 0.88, 0.97, "Counts particles."
    ),
    PublishedScore("topaz", "Topaz, match_coordinates", None, None, None, 0.81, 0.82, None, ""),
)


def nulls(names: list[str]) -> tuple[NullRun, ...]:
    """A picker with too many false picks and a ghost on pure noise; on drawn phases as many as predicted."""
    y, x = np.mgrid[-12:13, -12:13]
    template = np.exp(-((np.hypot(y, x) - 8) ** 2) / 6)
    template = (template - template.mean()) / np.linalg.norm(template - template.mean())
    noise = np.random.default_rng(0).normal(size=template.shape)
    ghost = Ghost("ring", 37, template + 0.04 * noise, template, 0.83)
    return (
        NullRun("noise_only", 2, {n: PickerNull(9, 2.0, ghost) for n in names}),
        NullRun(
            "phase_randomised", 2, {n: PickerNull(3, 2.0 if i == 0 else None) for i, n in enumerate(names)}
        ),
    )


def comparisons(names: list[str]) -> tuple[PairedComparison, ...]:
    """Every two pickers: a difference that is sure in recall, and one that is not in precision."""
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return tuple(
        PairedComparison(a, b, basis, metric, difference, interval, 0.004, 0.012, 16, 31, 9, 7e-4)
        for basis in ("own thresholds", "equal false picks")
        for a, b in pairs
        for metric, difference, interval in (
            ("recall", 0.12, (0.08, 0.16)),
            ("precision", -0.01, (-0.04, 0.02)),
            ("f1", 0.06, (0.02, 0.1)),
        )
    )
