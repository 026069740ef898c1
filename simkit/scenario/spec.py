"""The Scenario: one model that composes every family, and the checks that span its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, ValidationInfo, model_validator

from simkit.audit import AnyAudit
from simkit.background import AnyBackground
from simkit.core.grid import Grid
from simkit.core.paths import DataFile
from simkit.core.quantity import (
    Count,
    Fraction,
    Index,
    NonNegativeLength,
    NonNegativeNumber,
    PositiveLength,
    PositiveNumber,
    Symmetry,
)
from simkit.core.spec import Spec
from simkit.lattice import AnyLattice
from simkit.metric import AnyMetric
from simkit.metric.base import Metric
from simkit.metric.crystal import Crystal
from simkit.metric.curve import Curve
from simkit.metric.detection import Detection
from simkit.metric.efficiency import Efficiency
from simkit.metric.localisation import Localisation
from simkit.noise import AnyNoise
from simkit.picker import AnyPicker
from simkit.psf import AnyPsf
from simkit.scenario.expectation import Expectation
from simkit.scenario.micrographs import Micrographs, image_section
from simkit.scenario.sweep import Sweep
from simkit.template import AnyTemplate
from simkit.unit_cell import AnyUnitCell

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""Name of a species, template, picker …: it becomes a file name, so letters, digits, _ and -."""

PositivePixels = Annotated[int, Strict(), Field(ge=1, le=65536)]


class Image(Spec):
    """The micrograph's frame."""

    shape: tuple[PositivePixels, ...] | None = Field(default=None, min_length=1, max_length=2)
    """Pixels [rows, columns], or [columns] in one dimension; needed to simulate."""

    pixel_size: PositiveLength
    """Edge of a pixel."""

    boundary: Literal["periodic", "open"] = "open"
    """periodic: the image wraps around; open: copies beyond the border still reach in."""

    model: Literal["intensity", "phase"] = "intensity"
    """intensity: I = level + (density + background) ⊗ PSF; phase (needs a ctf): I = 1 + 2 φ ⊗ h."""

    level: NonNegativeNumber | None = None
    """Intensity of the empty image; 0 by default, always 1 under the phase model."""

    @property
    def ndim(self) -> int:
        """Number of dimensions; 2 where no shape is given."""
        return 2 if self.shape is None else len(self.shape)

    @property
    def grid(self) -> Grid:
        """The image's grid; only where a shape is given."""
        if self.shape is None:
            raise ValueError("the image has no shape")
        return Grid(self.shape, self.pixel_size)

    @property
    def base_level(self) -> float:
        """Intensity where there is no density."""
        return 1.0 if self.model == "phase" else (self.level or 0.0)


class Species(Spec):
    """A kind of particle: a unit cell ⊗ a lattice."""

    unit_cell: AnyUnitCell
    """What repeats."""

    lattice: AnyLattice
    """Where it repeats."""

    symmetry: Symmetry = "C1"
    """Symmetry that the angles are judged modulo: C1, C2 …; of a solid its point group, as D7, T, O or I."""


class Ignore(Spec):
    """What is neither a hit nor missed nor false.

    A particle that is ignored cannot be missed, and a pick on it is not false; a pick where nothing is
    judged counts nowhere.
    """

    border: NonNegativeLength = 0.0
    """Everything closer than this to the border of its micrograph."""

    edge: bool = False
    """Particles whose support the border cuts."""

    overlap: Fraction | None = None
    """Particles of which one neighbour covers more than this share."""

    classes: tuple[Name, ...] = ()
    """Species that a picker is neither asked for nor blamed for."""

    mask: DataFile | None = None
    """An image of the micrographs' shape: nothing is judged where it is 0."""


class Score(Spec):
    """How picks are judged."""

    radius: PositiveLength
    """A pick within this distance of a truth (inclusive) may be matched with it."""

    rule: Literal["optimal", "score_greedy", "closest_greedy", "stable"] = "optimal"
    """One-to-one, always. optimal: most pairs first, then least squared distance; score_greedy: the best
    pick first takes the nearest particle; closest_greedy: the closest pair first; stable: no truth and
    pick prefer each other to what they have."""

    metrics: tuple[AnyMetric, ...] | None = None
    """What to compute; everything there is by default."""

    ignore: Ignore = Ignore()
    """What is neither a hit nor missed nor false."""

    equal_false_picks: PositiveNumber = 1.0
    """False picks per micrograph at which pickers are compared besides their own thresholds."""

    null_micrographs: Index = 1
    """Micrographs of each null variant that a run searches besides; 0 for none."""

    @property
    def used_metrics(self) -> tuple[Metric, ...]:
        """The metrics in use."""
        return self.metrics or (
            Detection(),
            Localisation(),
            Curve(false_per_image=self.equal_false_picks),
            Efficiency(),
            Crystal(),
        )


def _image_or_micrographs(schema: dict[str, Any]) -> None:
    """Tell an editor that either section says how large a pixel is."""
    schema["required"] = [name for name in schema["required"] if name != "image"]
    schema["anyOf"] = [{"required": ["image"]}, {"required": ["micrographs"]}]


class Scenario(Spec):
    """An experiment: what is in the image, how it is imaged, how it is searched and judged.

    Every section after `image` is optional: a scenario may only simulate, only pick, or only measure.
    With `micrographs` the image section is optional too: the files say what they are.
    """

    model_config = ConfigDict(json_schema_extra=_image_or_micrographs)

    schema_version: Literal[1]
    """Version of this file's structure."""

    title: str = ""
    """One line that says what the scenario shows."""

    description: str = ""
    """What a reader of the report should know; plain text."""

    seed: Index = 0
    """Root of every random stream."""

    replicates: Count = 1
    """Number of micrographs, alike but for their random draws."""

    null: Literal["noise_only", "phase_randomised"] | None = None
    """A variant without particles. noise_only: the same noise and background, nothing in it;
    phase_randomised: every micrograph with the phases of its transform drawn anew, its power kept."""

    micrographs: Micrographs | None = None
    """Real images in place of specimen, background and noise."""

    image: Image
    specimen: dict[Name, Species] = {}
    background: dict[Name, AnyBackground] = {}
    psf: dict[Name, AnyPsf] = {}
    noise: dict[Name, AnyNoise] = {}
    templates: dict[Name, AnyTemplate] = {}
    pickers: dict[Name, AnyPicker] = {}
    score: Score | None = None
    audit: dict[Name, AnyAudit] = {}
    expect: tuple[Expectation, ...] = ()
    sweep: Sweep | None = None
    """Many runs of this scenario; `simkit sweep` makes them, `simkit run` only the scenario itself."""

    @model_validator(mode="before")
    @classmethod
    def _image_of_the_files(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or data.get("micrographs") is None:
            return data
        image = data.get("image", {})
        if not isinstance(image, dict) or "pixel_size" in image:
            return data
        return {**data, "image": {**image_section(data["micrographs"], info), **image}}

    @property
    def simulates(self) -> bool:
        """Whether there is anything to simulate."""
        return self.image.shape is not None

    @property
    def truth_is_complete(self) -> bool:
        """Whether a pick without a particle is known to be false; always, of a simulation and of a null."""
        real = self.micrographs
        return self.null is not None or real is None or real.truth is None or real.truth.complete

    def members(self) -> Iterator[tuple[tuple[str | int, ...], Spec]]:
        """Yield (path, spec) of every kind that the scenario names."""
        for name, species in self.specimen.items():
            yield ("specimen", name, "unit_cell"), species.unit_cell
            yield ("specimen", name, "lattice"), species.lattice
        for section in ("background", "psf", "noise", "templates", "pickers", "audit"):
            for name, spec in getattr(self, section).items():
                yield (section, name), spec
