"""The frozen base of every model that a scenario file can hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A validated, immutable piece of a scenario.

    Unknown keys are errors, numbers are finite, and a value once validated never changes; two
    equal specs describe the same experiment.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )
