"""Templates: what to look for."""

from typing import Annotated

from simkit.core.family import Family
from simkit.template.base import Template

FAMILY = Family("template", Template)
AnyTemplate = Annotated[Template, FAMILY]
