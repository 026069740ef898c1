"""The lecture's cross-correlation: Σ f(x + t) h(t)."""

from __future__ import annotations

from typing import Literal

from simkit.core.grid import FloatArray
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import Field, Probe, boxed_probes
from simkit.correlation.whitening import white
from simkit.picker._joint import LinearSearch
from simkit.picker.base import Sight


class Correlation(LinearSearch):
    """The sum of products c(x) = Σ f(x + t) h(t) of a zero-mean image and a zero-mean template.

    The score is in units of the image (the template has unit energy): bright places score high
    whatever their shape. `matched_filter` and `ncc` mend that, each in its way. Expected false
    picks are those of white noise.
    """

    kind: Literal["correlation"] = "correlation"

    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        field = Field(frame, padded, white)
        return field, boxed_probes(field, sight.banks, [bank.images for bank in sight.banks])
