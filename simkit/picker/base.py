"""The contract of a picker: pixels and templates in, picks out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength
from simkit.core.spec import Spec
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.threshold import AnyThreshold


@dataclass(frozen=True)
class Sight:
    """All that a picker is shown of one micrograph. There is no truth in it.

    Attributes
    ----------
    pixels : array
        The image.
    grid : Grid
        Its shape and pixel size.
    banks : sequence of TemplateBank
        What to look for.
    spacing : float or None
        Shortest spacing in Å of the net the particles stand on, if the scenario declares one.
    noise_spectrum : array or None
        The declared noise power spectrum (real-FFT layout, variance per pixel); only given to a
        picker that asks for it, which makes that picker an oracle.
    mask : array of bool or None
        False where nothing may be picked.
    rng : numpy.random.Generator
        The picker's own stream.
    workers : int
        Threads to use; the result does not depend on it.
    """

    pixels: FloatArray
    grid: Grid
    banks: Sequence[TemplateBank]
    spacing: float | None
    noise_spectrum: FloatArray | None
    mask: npt.NDArray[np.bool_] | None
    rng: np.random.Generator
    workers: int = 1


@dataclass(frozen=True)
class Found:
    """What a picker returns.

    Attributes
    ----------
    picks : Picks
        Best first; the micrograph column is filled in by the engine.
    score_map : array
        The best score at every place, on `map_grid`.
    map_grid : Grid
        Grid of the score map; coarser than the image when the search was.
    threshold : float
        The score at which the peaks were cut.
    notes : mapping
        Named numbers worth reporting, for example the energy lost by a coarse search.
    candidates : Picks or None
        The same list kept down to a level far below the threshold, best first, `picks` at its head;
        None where the picker keeps none.
    noise_sd : float or None
        Standard deviation of the score at one place and angle where there is only noise, in the
        picker's own scale; None if unknown.
    expected_false : float or None
        False picks that the picker itself expects above the threshold in an image like this without
        particles; None where it cannot say.
    """

    picks: Picks
    score_map: FloatArray
    map_grid: Grid
    threshold: float
    notes: dict[str, float] = field(default_factory=dict)
    candidates: Picks | None = None
    noise_sd: float | None = None
    expected_false: float | None = None


class Picker(Spec):
    """How to look."""

    templates: tuple[str, ...] | None = None
    """Names of the templates to use; all by default."""

    threshold: AnyThreshold
    """Where to cut."""

    min_distance: PositiveLength | None = None
    """Closest that two picks may be; the template's diameter by default, for nets half the spacing."""

    @property
    def oracle(self) -> bool:
        """Whether the picker uses what no user of a real microscope knows; kept out of rankings."""
        return False

    @property
    def knows(self) -> tuple[str, ...]:
        """What the picker was told besides the pixels, for the report."""
        return ("pixel size", "templates")

    @abstractmethod
    def pick(self, sight: Sight) -> Found:
        """Find the particles of one micrograph.

        Raises
        ------
        ScenarioError
            If the search is impossible (a template larger than the image); its path is relative to
            the picker.
        """
