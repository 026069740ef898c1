"""Views: from where a solid is seen."""

from typing import Annotated

from simkit.core.family import Family
from simkit.view.base import Views

FAMILY = Family("view", Views)
AnyViews = Annotated[Views, FAMILY]
