"""What all correlation pickers do alike; each kind only says how image and templates are made ready."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Checked
from pydantic import Strict
from threadpoolctl import ThreadpoolController

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import FLAT
from simkit.core.quantity import PositiveLength
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.correlation.candidates import best_peaks
from simkit.correlation.device import device_named
from simkit.correlation.exact import MayStand
from simkit.correlation.noise_estimate import estimated_spectrum
from simkit.correlation.padding import Frame, clean
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan, scan
from simkit.correlation.whitening import NoiseSpectrum
from simkit.picker._choice import Choice, chosen
from simkit.picker._expectation import Expectation, expectation
from simkit.picker._harvest import Harvest, Search
from simkit.picker._laws import ScoreLaw, score_laws
from simkit.picker._marks import doubts, significance, spelled, uncertainties
from simkit.picker._places import placed
from simkit.picker._sites import at_sites
from simkit.picker.base import Found, Picker, Sight
from simkit.theory.random_field import LOWEST_LEVEL, level_for, spectral_moments
from simkit.threshold import AnyThreshold
from simkit.threshold.base import SearchStatistics

FALSE_CANDIDATES = 100
"""False picks per image that the list of candidates is kept down to."""

LostEnergy = Annotated[float, Strict(), Checked(gt=0, le=0.1)]


@dataclass(frozen=True)
class _Searched:
    """What a search has found, before anything is cut.

    Attributes
    ----------
    sight : Sight
        What was seen.
    allowed : array of bool
        Where picks may be.
    field, probes
        Image and templates, which know their noise.
    found : Scan
        All scores.
    laws : sequence of ScoreLaw
        Of each template's scores in noise.
    expected : Expectation
        False picks.
    lowest : float
        Level of the last candidates, in standard deviations.
    reach : sequence of float
        Å around each template's peaks within which only the best stays.
    may_stand : callable
        Whether a pick may be at a place.
    """

    sight: Sight
    allowed: FloatArray
    field: Field
    found: Scan
    probes: Sequence[Probe]
    laws: Sequence[ScoreLaw]
    expected: Expectation
    lowest: float
    reach: Sequence[float]
    may_stand: MayStand


class TemplateSearch(Picker):
    """Slide every view of every template over the image and keep the best peaks."""

    threshold: AnyThreshold
    """Where to cut."""

    min_distance: PositiveLength | None = None
    """Closest that two picks may be; the template's diameter by default, for nets half the spacing."""

    search: Literal["coarse", "exhaustive"] = "coarse"
    """coarse: on the grid of the templates' own band limit, then exactly where it matters;
    exhaustive: every view on every pixel. What stands out of the noise is picked alike by both."""

    lost_energy: LostEnergy = 1e-3
    """Share of any view's energy that the coarse search may lose."""

    border: Literal["pad", "exclude"] = "pad"
    """pad: outside the image counts as its mean; exclude: no picks whose support leaves the image."""

    lattice: Literal["none", "fitted"] = "none"
    """fitted: where the picks make a crystal, its lattice is fitted to them and weaker particles are believed
    at its sites; picks elsewhere are flagged, sites without one listed. none: places are all alike."""

    @abstractmethod
    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """Make image and templates ready, so that the score is their product.

        Parameters
        ----------
        padded : array
            Zero-mean pixels without NaN, set in the frame.
        frame : Frame
            What they are set in.
        sight : Sight
            Templates, and what else the picker was shown.
        """

    def detectability(self, scores: FloatArray, noise_sd: float) -> FloatArray:
        """Return the d′ that peaks of these scores speak of; NaN where they speak of none.

        Parameters
        ----------
        scores : array, shape (n,)
            In the picker's own scale.
        noise_sd : float
            Of the score at one place and angle; 0 if there is none.
        """
        return scores / noise_sd if noise_sd > 0 else np.full(scores.shape, np.nan)

    def errors(
        self, peaks: Sequence[Peak], probes: Sequence[Probe], scores: FloatArray, noise_sd: float
    ) -> dict[str, FloatArray]:
        """Return the columns of the standard errors that peaks of these scores have in place and angle."""
        return uncertainties(peaks, probes, self.detectability(scores, noise_sd))

    def groups(self, probes: Sequence[Probe]) -> list[int]:
        """Return the group of every probe: of several groups it is chosen which one a pick is (`chosen`).

        Coefficients under masks of their own are made of different pixels each: how seldom noise gives them
        does not tell which template is there, so the highest stays.
        """
        one = not self.needs_templates or any(probe.norm is not None for probe in probes)
        names = list(dict.fromkeys(probe.bank.name for probe in probes))
        return [0 if one else names.index(probe.bank.name) for probe in probes]

    def peaks(
        self,
        found: Scan,
        field: Field,
        probes: Sequence[Probe],
        *,
        level: Callable[[FloatArray], float],
        low: float,
        reach: Sequence[float],
        may_stand: MayStand,
    ) -> tuple[list[Peak], float]:
        """Return the peaks of a scan, best first, and the lowest score of a pick: see `best_peaks`."""
        return best_peaks(found, field, probes, level=level, low=low, reach=reach, may_stand=may_stand)

    def pick(self, sight: Sight) -> Found:
        """See `Picker.pick`."""
        self._require_room(sight)
        # One BLAS thread: sums are then in one order, and the search has threads of its own.
        with _blas().limit(limits=1, user_api="blas"):
            return self._pick(sight)

    def _pick(self, sight: Sight) -> Found:
        image, usable = clean(sight.pixels)
        allowed = usable if sight.mask is None else usable & sight.mask
        sight = replace(sight, mask=allowed)
        frame = Frame.around(sight.grid, max(max(b.grid.shape) for b in sight.banks))
        padded = frame.pad(image)
        del image
        field, probes = self.prepare(padded, frame, sight)
        del padded
        searched = self._searched(sight, allowed, field, probes)
        harvest = self._harvested(searched)
        choice = chosen(
            harvest.peaks,
            harvest.picked,
            found=searched.found,
            field=searched.field,
            probes=searched.probes,
            groups=self.groups(probes),
            expected=searched.expected,
            may_stand=searched.may_stand,
        )
        found = self._told(searched, harvest, choice)
        if not usable.all():
            found.notes["unusable"] = float(1 - usable.mean())
        return found

    def _searched(
        self, sight: Sight, allowed: FloatArray, field: Field, probes: Sequence[Probe]
    ) -> _Searched:
        """Compute all scores, and meanwhile what noise makes of them."""
        field = replace(field, noise=self._noise(field, sight, allowed))
        with ThreadPoolExecutor(min(sight.workers, 2)) as pool:
            scanning = pool.submit(self._scan, sight, field, probes, self.groups(probes))
            told = pool.submit(self._noise_alone, sight, field, probes, allowed)
        found, (laws, expected, probes, lowest) = scanning.result(), told.result()
        return _Searched(
            sight=sight,
            allowed=allowed,
            field=replace(field, noise_sd=expected.noise_sd),
            found=replace(found, noise_sd=expected.noise_sd),
            probes=probes,
            laws=laws,
            expected=expected,
            lowest=lowest,
            reach=self._reach(sight),
            may_stand=functools.partial(self._may_stand, sight, allowed),
        )

    def _harvested(self, searched: _Searched) -> Harvest:
        """Return the peaks that the threshold leaves, anywhere or, if a lattice is fitted, at its sites."""
        found, field, probes = searched.found, searched.field, searched.probes
        counting = self.threshold.counting
        above = searched.expected.counted(counting)

        def level(scores: FloatArray, above: Callable[[float], float] = above) -> float:
            return self.threshold.level(SearchStatistics(scores, found.noise_sd, above))

        peaks = self.peaks(
            found,
            field,
            probes,
            level=level,
            low=found.noise_sd * searched.lowest,
            reach=searched.reach,
            may_stand=searched.may_stand,
        )
        harvest = Harvest.anywhere(*peaks, above)
        harvest = placed(harvest, found, probes, threshold=self.threshold, detectability=self.detectability)
        if self.lattice == "none":
            return harvest
        sight, allowed = searched.sight, searched.allowed

        def count(reach: float) -> Callable[[float], float]:
            return self._expected(sight, field, probes, searched.laws, allowed, reach).counted(counting)

        search = Search(
            found=found,
            field=field,
            probes=probes,
            grid=sight.grid,
            reach=searched.reach,
            may_stand=searched.may_stand,
            allowed=float(allowed.mean()),
            count=count,
            level=level,
        )
        return at_sites(harvest, search)

    def _told(self, searched: _Searched, harvest: Harvest, choice: Choice) -> Found:
        """Return what is known of every pick and of the search."""
        sight, found, probes = searched.sight, searched.found, searched.probes
        picked, peaks = harvest.picked, choice.peaks
        candidates = _table(peaks, sight.banks)
        doubted = doubts(peaks, grid=sight.grid, found=found, probes=probes, level=harvest.level)
        candidates = candidates.replace(
            **self.errors(peaks, probes, candidates["score"], found.noise_sd),
            **significance(harvest.ranks, found.noise_sd, harvest.above, harvest.misplaced),
            **harvest.columns,
            **choice.columns,
            flags=spelled({**doubted, **harvest.doubts}),
        )
        inverted = float(doubted["inverted"][picked].mean()) if picked.any() else 0.0
        relative = self.threshold.relative
        return Found(
            picks=candidates.take(picked),
            score_map=found.best,
            map_grid=found.grid,
            threshold=harvest.level,
            notes={
                "lost_energy": found.lost_energy,
                "noise_sd": found.noise_sd,
                "sampling": found.grid.pixel_size / sight.grid.pixel_size,
                **({"opposite_contrast": inverted} if inverted > 0.5 else {}),
                **harvest.notes,
            },
            candidates=candidates,
            noise_sd=found.noise_sd or None,
            expected_false=None if relative else _expected_false(harvest.cut, found, harvest.above),
            holes=harvest.holes,
            notices=harvest.notices,
        )

    def _scan(self, sight: Sight, field: Field, probes: Sequence[Probe], groups: Sequence[int]) -> Scan:
        lost_energy = self.lost_energy if self.search == "coarse" else 0.0
        device = device_named(sight.device)
        return scan(
            field, probes, lost_energy=lost_energy, workers=sight.workers, groups=groups, device=device
        )

    def _noise_alone(
        self, sight: Sight, field: Field, probes: Sequence[Probe], allowed: FloatArray
    ) -> tuple[list[ScoreLaw], Expectation, list[Probe], float]:
        """Return what noise makes of scores, probes that know it, and the level of the last candidates."""
        probes = [replace(probe, moments=_moments(field, probe)) for probe in probes]
        laws = score_laws(field, probes)
        expected = self._expected(sight, field, probes, laws, allowed)
        lowest = level_for(FALSE_CANDIDATES, expected.counted(self.threshold.counting))
        return laws, expected, probes, lowest

    def _expected(
        self,
        sight: Sight,
        field: Field,
        probes: Sequence[Probe],
        laws: Sequence[ScoreLaw],
        allowed: FloatArray,
        reach: float | None = None,
    ) -> Expectation:
        exclude = self.border == "exclude"
        return expectation(
            field,
            probes,
            laws,
            reach=self._reach(sight) if reach is None else [reach] * len(probes),
            insets=[bank.support if exclude else 0.0 for bank in sight.banks],
            allowed=float(allowed.mean()),
        )

    def _noise(self, field: Field, sight: Sight, allowed: FloatArray) -> NoiseSpectrum:
        """Return the spectrum of the noise in the field's values, estimated when it is first asked for."""
        if field.noise_sd is not None:
            return field.weight
        image = field.frame.cut(field.values)
        estimate = functools.cache(
            lambda: estimated_spectrum(image, sight.grid, sight.banks, valid=allowed, workers=sight.workers)
        )
        return lambda grid: estimate()(grid)

    def _require_room(self, sight: Sight) -> None:
        for i, bank in enumerate(sight.banks):
            if any(t > n for t, n in zip(bank.grid.shape, sight.grid.shape, strict=True)):
                raise ScenarioError(
                    f"the template {bank.name!r} ({_size(bank.grid)}) is larger than the image "
                    f"({_size(sight.grid)}); search a larger image or make the template smaller",
                    ("templates", i) if self.templates else (),
                )

    def _reach(self, sight: Sight) -> list[float]:
        if self.min_distance is not None:
            return [self.min_distance] * len(sight.banks)
        if sight.spacing is not None:
            return [sight.spacing / 2] * len(sight.banks)
        return [bank.diameter for bank in sight.banks]

    def _may_stand(self, sight: Sight, allowed: FloatArray, position: FloatArray, template: int) -> bool:
        inset = sight.banks[template].support if self.border == "exclude" else 0.0
        if not (sight.grid.contains(*(position - inset)) and sight.grid.contains(*(position + inset))):
            return False
        return bool(allowed[tuple(np.rint(position / sight.grid.pixel_size).astype(int))])


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _size(grid: Grid) -> str:
    pixels = " × ".join(str(n) for n in grid.shape)
    lengths = " × ".join(f"{length:.4g}" for length in grid.extent)
    return f"{pixels} px, {lengths} Å"


def _moments(field: Field, probe: Probe) -> FloatArray:
    """Return the covariance of the gradient of the score in the noise that the picker believes in."""
    return spectral_moments(
        probe.kernels,
        pixel_size=probe.bank.pixel_size,
        angle_step=math.radians(probe.bank.step or 0.0),
        noise_spectrum=field.noise_spectrum and field.noise_spectrum(probe.bank.grid),
    )


def _expected_false(level: float, found: Scan, above: Callable[[float], float]) -> float | None:
    """Return the false picks expected above a level, where the closed form holds."""
    # A level found as a multiple of the noise may come back a rounding error lower.
    lowest = LOWEST_LEVEL * found.noise_sd * (1 - 1e-12)
    return above(level / found.noise_sd) if found.noise_sd > 0 and level >= lowest else None


def _table(peaks: Sequence[Peak], banks: Sequence[TemplateBank]) -> Picks:
    # In one dimension there is no y; tables then hold 0 there.
    positions = np.array([[0.0, *p.position][-2:] for p in peaks]).reshape(-1, 2)
    seen = [banks[p.template].view or FLAT for p in peaks]
    columns = {
        "class": [banks[p.template].finds for p in peaks],
        "template": [banks[p.template].name for p in peaks],
        "psi": [p.psi for p in peaks],
        "rot": [view.rot for view in seen],
        "tilt": [view.tilt for view in seen],
        "score": [p.score for p in peaks],
    }
    return Picks(y=positions[:, 0], x=positions[:, 1], **{k: np.array(v) for k, v in columns.items()})
