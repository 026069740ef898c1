"""Metrics: how to judge."""

from typing import Annotated

from simkit.core.family import Family
from simkit.metric.base import Metric

FAMILY = Family("metric", Metric)
AnyMetric = Annotated[Metric, FAMILY]
