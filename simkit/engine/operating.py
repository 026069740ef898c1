"""One level of the ideal observer: what it finds where so many false picks are allowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.theory.observer import IdealCurve


@dataclass(frozen=True)
class OperatingPoint:
    """What the ideal observer does at one level.

    Attributes
    ----------
    level : float
        In standard deviations of the noise.
    false_picks : float
        Expected in a micrograph.
    recall, precision, f1 : float
        Of the expected counts.
    """

    level: float
    false_picks: float
    recall: float
    precision: float
    f1: float


def operating_point(curve: IdealCurve, false_picks: float) -> OperatingPoint:
    """Return the point of a curve at which so many false picks are expected in a micrograph.

    The logarithm of their number is taken as linear between the levels of the curve. More than the lowest
    level lets through, or fewer than the highest, give the curve's end.
    """
    counted = curve.false_per_image > 0
    rarity = -np.log(curve.false_per_image[counted])
    level = float(np.interp(-np.log(false_picks), rarity, curve.level[counted]))
    false = float(np.exp(-np.interp(level, curve.level[counted], rarity)))
    recall = recall_above_level(curve, level)
    found = recall * curve.particles_per_image
    return OperatingPoint(
        level=level,
        false_picks=false,
        recall=recall,
        precision=found / (found + false),
        f1=2 * found / (curve.particles_per_image + found + false),
    )


def recall_above_level(curve: IdealCurve, level: float) -> float:
    """Return the recall of a curve at a level."""
    return float(np.interp(level, curve.level, curve.recall))
