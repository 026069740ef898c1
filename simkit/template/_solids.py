"""What templates of solids share: the directions they are seen from."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.orientation import View
from simkit.core.quantity import ANGLE, Quantity
from simkit.core.spec import Spec
from simkit.core.symmetry import spread_views
from simkit.template.base import Rotations
from simkit.view.base import AnyOneView

MOST_BYTES = 2 * 2**30
"""Of all images of one template."""


def _or_list(schema: dict[str, Any]) -> None:
    """Let the JSON Schema accept the list that the model accepts."""
    mapping = dict(schema)
    listed = mapping["properties"]["of"]["anyOf"][0]
    schema.clear()
    schema["anyOf"] = [listed, mapping]


class Directions(Spec):
    """The directions to look from: spread evenly over all, `{step: 20°}`, or a list of single views."""

    model_config = ConfigDict(json_schema_extra=_or_list)

    step: Annotated[float, Quantity(ANGLE, ge=3, le=180)] | None = None
    """Largest step between neighbouring directions, at least 3°; none that the symmetry makes equal."""

    of: tuple[AnyOneView, ...] | None = Field(default=None, min_length=1)
    """Single views, of `kind: fixed` or `named`."""

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"of": value} if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.step is None) == (self.of is None):
            raise PydanticCustomError(
                "views",
                "say the step between directions, `{text}`, or list single views",
                {"text": "{step: 20°}"},
            )
        return self

    def views(self, symmetry: str) -> tuple[View, ...]:
        """Return the directions for a solid of this point group."""
        if self.step is not None:
            return spread_views(self.step, symmetry)
        return tuple(view.only for view in self.of or ())


def refuse_too_many(views: int, rotations: Rotations | None, *, support: float, image: Grid) -> None:
    """Refuse more images than a search could hold.

    Raises
    ------
    ScenarioError
        With their number and memory, and what would make them fewer.
    """
    angles = len(rotations.angles("C1")) if rotations else 1
    pixels = image.box(support).size
    needed = views * angles * pixels * np.dtype(float).itemsize
    if needed > MOST_BYTES:
        raise ScenarioError(
            f"{views} views × up to {angles} angles of {pixels} pixels need about {needed / 2**30:.3g} GiB, "
            f"and at most {MOST_BYTES / 2**30:.3g} GiB are allowed; take larger steps of `views` or "
            "`rotations`, larger pixels, or say the symmetry",
            ("views",),
        )
