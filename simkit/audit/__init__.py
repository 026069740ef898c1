"""Audits: what to measure besides picks."""

from typing import Annotated

from simkit.audit.base import Audit
from simkit.core.family import Family

FAMILY = Family("audit", Audit)
AnyAudit = Annotated[Audit, FAMILY]
