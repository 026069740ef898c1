"""The contract of a picker: pixels and templates in, picks out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid
from simkit.core.holes import Holes
from simkit.core.spec import Spec
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.correlation.device import PROCESSOR
from simkit.threshold import AnyThreshold

Banks = Mapping[str, tuple[TemplateBank, ...]]
"""Name of a template → its banks, one for each view."""


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
    device : str
        What a search may compute on, by its name: `simkit.correlation.device`. Exact scores are worked out
        on the processor, so that picks are alike.
    name : str
        What the micrograph is called.
    """

    pixels: FloatArray
    grid: Grid
    banks: Sequence[TemplateBank]
    spacing: float | None
    noise_spectrum: FloatArray | None
    mask: npt.NDArray[np.bool_] | None
    rng: np.random.Generator
    workers: int = 1
    name: str = "micrograph"
    device: str = PROCESSOR


@dataclass(frozen=True)
class Plate:
    """One of several micrographs that a picker is shown together; its pixels are read when asked for.

    Attributes
    ----------
    name : str
        What it is called.
    grid : Grid
        Its shape and pixel size.
    pixels : callable
        Returns the image.
    file : str or None
        The file that holds these very pixels; None where there is none.
    mask : array of bool or None
        False where nothing may be picked.
    """

    name: str
    grid: Grid
    pixels: Callable[[], FloatArray]
    file: str | None = None
    mask: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Batch:
    """All that a picker is shown of several micrographs. There is no truth in it.

    Attributes
    ----------
    plates : sequence of Plate
        The micrographs, of different names.
    banks : sequence of TemplateBank
        What to look for.
    rng : numpy.random.Generator
        The picker's own stream.
    workers : int
        Programs to run at a time; the result does not depend on it.
    """

    plates: Sequence[Plate]
    banks: Sequence[TemplateBank]
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
    logs : mapping
        File name → what a program printed.
    notices : tuple of str
        What a reader must know of how the picks came here.
    holes : Holes or None
        Empty sites of the crystal; None where no lattice was looked for or found.
    """

    picks: Picks
    score_map: FloatArray
    map_grid: Grid
    threshold: float
    notes: dict[str, float] = field(default_factory=dict)
    candidates: Picks | None = None
    noise_sd: float | None = None
    expected_false: float | None = None
    logs: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    holes: Holes | None = None


class Picker(Spec):
    """How to look."""

    templates: tuple[str, ...] | None = None
    """Names of the templates to use; all by default."""

    threshold: AnyThreshold | None = None
    """Where to cut; where its maker did, by default."""

    @property
    def cut(self) -> str:
        """The threshold in words."""
        return "the level its maker chose" if self.threshold is None else self.threshold.words

    @property
    def oracle(self) -> bool:
        """Whether the picker uses what no user of a real microscope knows; kept out of rankings."""
        return False

    @property
    def knows(self) -> tuple[str, ...]:
        """What the picker was told besides the pixels, for the report."""
        return ("pixel size", "templates")

    @property
    def needs_templates(self) -> bool:
        """Whether it has nothing to look for without templates."""
        return True

    @property
    def sees_pixels(self) -> bool:
        """Whether it looks at the images; what was listed before says nothing of any others."""
        return True

    def sought(self, finds: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the classes that it looks for; None for whatever there is.

        Parameters
        ----------
        finds : mapping
            Template → the class that a match means, of all templates of the scenario.
        """
        return tuple(dict.fromkeys(finds[name] for name in self.templates or finds))

    def searches_with(self, drawn: Banks, image: Grid) -> Banks:
        """Return what it slides over an image: its templates, by their names.

        Parameters
        ----------
        drawn : mapping
            Name → its banks, one for each view, of all templates of the scenario.
        image : Grid
            The image.
        """
        return {name: drawn[name] for name in self.templates or drawn}

    def require_ready(self) -> None:
        """Ask, before anything is simulated, whether what the picker needs is there.

        Raises
        ------
        SimkitError
            If it is not; a ScenarioError's path is relative to the picker.
        """
        return

    @abstractmethod
    def pick(self, sight: Sight) -> Found:
        """Find the particles of one micrograph.

        Raises
        ------
        ScenarioError
            If the search is impossible (a template larger than the image); its path is relative to
            the picker.
        OutsideError
            If a program that is not ours failed.
        """


class BatchPicker(Picker):
    """A picker that is shown all micrographs of a run together, once each is there."""

    @abstractmethod
    def pick_all(self, batch: Batch) -> list[Found]:
        """Find the particles of every micrograph, in the order of the plates.

        Raises
        ------
        ScenarioError
            If the search is impossible; its path is relative to the picker.
        OutsideError
            If a program that is not ours failed.
        """

    def pick(self, sight: Sight) -> Found:
        """See `Picker.pick`."""
        plate = Plate(sight.name, sight.grid, lambda: sight.pixels, mask=sight.mask)
        (found,) = self.pick_all(Batch((plate,), sight.banks, sight.rng, sight.workers))
        return found
