"""What each stage hands on, and what a whole run is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simkit.audit.base import Measurement, SpeciesRecord
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.holes import Holes
from simkit.core.tables import Picks, Truth
from simkit.correlation.bank import TemplateBank
from simkit.engine.ceiling import Ceiling
from simkit.engine.nulls import NullRun
from simkit.judging.comparison import PairedComparison
from simkit.judging.confusion import Confusion
from simkit.judging.curve import Curve, RadiusCurve
from simkit.judging.strata import Stratum
from simkit.matching.base import Match
from simkit.matching.published.base import PublishedScore
from simkit.picker.base import Found
from simkit.scenario.spec import Scenario

if TYPE_CHECKING:
    import xarray as xr

Value = float | int | None

Mask = npt.NDArray[np.bool_]


def _no_rows() -> Mask:
    return np.zeros(0, bool)


@dataclass(frozen=True)
class Simulation:
    """One simulated micrograph and everything known about it.

    Attributes
    ----------
    micrograph : xarray.DataArray
        Float32 pixels with noise; dims (y, x) or (x,), coordinates in Å; attrs `units`
        ("intensity" or "e⁻/pixel"), `pixel_size`, `scenario`.
    ideal : array
        The noise-free image, float64, in intensities.
    density : array
        Σ species + background before the optics, cropped to the image.
    transfer : array
        Transfer function on the image grid, real-FFT layout, without sign or gain of the model.
    noise_spectrum : array
        Power spectrum of the noise in the micrograph's units (variance per pixel), real-FFT layout.
    truth : Truth
        Copies whose centres are within the image.
    species : mapping
        Species name → `SpeciesRecord`.
    facts : mapping
        Named numbers for the report (None where one does not exist): `peak_contrast` (largest
        |I − level| ÷ level), `electrons_per_pixel`, `noise_sd`, and `snr.<species>`.
    """

    micrograph: xr.DataArray
    ideal: FloatArray
    density: FloatArray
    transfer: FloatArray | ComplexArray
    noise_spectrum: FloatArray
    truth: Truth
    species: Mapping[str, SpeciesRecord]
    facts: Mapping[str, Value]


@dataclass(frozen=True)
class Judgement:
    """What scoring says of one picker.

    Attributes
    ----------
    knows : tuple of str
        What the picker was told.
    oracle : bool
        Whether it used what nobody has; kept out of rankings.
    values : mapping
        "all" and every class → metric name → value, None where it does not exist.
    match : Match
        Class-blind pairs; row numbers into the run's `truth` and this picker's `picks`.
    threshold : str
        The declared policy in words: "expected false picks, 1 per image".
    intervals : mapping
        "all" and every class → metric name → 95 % interval; only names that have one.
    resampled : str
        What the intervals resample, in words: "16 micrographs", "16 tiles of 1 micrograph".
    ignored_truth, ignored_picks : array of bool
        Rows of the run's `truth` and of this picker's `picks` that count nowhere.
    curves : mapping
        "all" and every class → the scores at every threshold; empty without scores.
    by_radius : RadiusCurve or None
        Class-blind.
    strata : tuple of Stratum
        Class-blind, sorted by what they are split by.
    confusion : Confusion or None
        None where no classes are told apart.
    published : tuple of PublishedScore
        What other programs' rules say of the same picks.
    """

    knows: tuple[str, ...]
    oracle: bool
    values: Mapping[str, Mapping[str, Value]]
    match: Match
    threshold: str = ""
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    resampled: str = ""
    ignored_truth: Mask = field(default_factory=_no_rows)
    ignored_picks: Mask = field(default_factory=_no_rows)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    by_radius: RadiusCurve | None = None
    strata: tuple[Stratum, ...] = ()
    confusion: Confusion | None = None
    published: tuple[PublishedScore, ...] = ()


@dataclass(frozen=True)
class PickerRun:
    """What one picker did on all micrographs.

    Attributes
    ----------
    picks : Picks
        All micrographs, in order.
    first : Found
        What it returned for micrograph 0, score map included.
    thresholds : tuple of float
        Where each micrograph was cut.
    candidates : Picks or None
        All micrographs: the list kept down to a low level.
    noise_sds : tuple of float
        Standard deviation of the score in each micrograph's noise; NaN where unknown.
    holes : Holes or None
        Empty sites of the crystals of all micrographs; None where no lattice was fitted to any.
    """

    picks: Picks
    first: Found
    thresholds: tuple[float, ...]
    candidates: Picks | None = None
    noise_sds: tuple[float, ...] = ()
    holes: Holes | None = None


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes
    ----------
    scenario : Scenario
        As it was run, resolved.
    micrograph_names : tuple of str
        "0000", "0001", …; of real ones their files' names without suffix.
    micrographs : tuple of arrays
        Float32 pixels of every simulated micrograph; of real ones, which stay on disk, of the first.
    first : Simulation or None
        Everything about micrograph 0; None if nothing is simulated.
    truth : Truth
        All micrographs.
    banks : mapping
        Template name → its banks, one for each view (as for micrograph 0).
    pickers : mapping
        Picker name → what it did.
    judgements : mapping
        Picker name → its scores; empty without a `score` section.
    measurements : mapping
        Audit name → what it measured.
    scores : mapping
        The content of scores.json.
    sources : tuple of str
        Files of the micrographs, where they are real; empty where they were simulated.
    unjudged : frozenset of str
        Micrographs of which no truth is known.
    ceiling : Ceiling or None
        What physics allows; None of real micrographs, or without noise or specimen.
    nulls : tuple of NullRun
        What was picked where no particle is.
    comparisons : tuple of PairedComparison
        Every two pickers on the same micrographs; oracles are kept out.
    timings : mapping
        Stage → seconds; never part of a file that must be the same bits.
    logs : mapping
        Picker → file name → what its program printed.
    """

    scenario: Scenario
    micrograph_names: tuple[str, ...]
    micrographs: tuple[FloatArray, ...]
    first: Simulation | None
    truth: Truth
    banks: Mapping[str, tuple[TemplateBank, ...]]
    pickers: Mapping[str, PickerRun]
    judgements: Mapping[str, Judgement]
    measurements: Mapping[str, Measurement]
    scores: Mapping[str, Any]
    timings: Mapping[str, float]
    sources: tuple[str, ...] = ()
    unjudged: frozenset[str] = frozenset()
    ceiling: Ceiling | None = None
    nulls: tuple[NullRun, ...] = ()
    comparisons: tuple[PairedComparison, ...] = ()
    logs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The species; of real micrographs, those that the truth and the templates name."""
        named = [*self.truth["class"].tolist(), *(views[0].finds for views in self.banks.values())]
        return tuple(self.scenario.specimen) or tuple(dict.fromkeys(filter(None, named)))

    def banks_of(self, picker: str) -> Mapping[str, tuple[TemplateBank, ...]]:
        """Return what a picker slid over micrograph 0, by the names of its templates."""
        image = Grid(self.micrographs[0].shape, self.scenario.image.pixel_size)
        return self.scenario.pickers[picker].searches_with(self.banks, image)

    @property
    def passed(self) -> bool:
        """Whether every expectation holds."""
        return bool(self.scores["passed"])
