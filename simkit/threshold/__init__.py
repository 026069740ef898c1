"""Thresholds: where to cut."""

from typing import Annotated

from simkit.core.family import Family
from simkit.threshold.base import Threshold

FAMILY = Family("threshold", Threshold)
AnyThreshold = Annotated[Threshold, FAMILY]
