"""What all pickers have in common whose lists come from outside: programs, functions and files of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength, PositiveNumber
from simkit.core.spec import Spec
from simkit.core.tables import Picks
from simkit.io.coordinates import CoordinateFrame, read_coordinates
from simkit.io.formats import format_named
from simkit.io.placing import called, homes, upright
from simkit.picker.base import Found, Picker, Plate
from simkit.threshold import AnyThreshold
from simkit.threshold.base import SearchStatistics

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


def _known_format(name: str) -> str:
    try:
        format_named(name)
    except ValueError as error:
        raise PydanticCustomError("format", "{message}", {"message": str(error)}) from None
    return name


FormatName = Annotated[str, AfterValidator(_known_format)]


class OutsidePicker(Picker):
    """A picker whose list comes from outside; what is not asked for is taken as it comes."""

    class_: ClassName | None = Field(default=None, alias="class")
    """The species of all picks; what the list itself says by default."""

    @field_validator("threshold")
    @classmethod
    def _by_score_alone(cls, threshold: AnyThreshold | None) -> AnyThreshold | None:
        if threshold is not None:
            try:
                _level(threshold, np.zeros(0))
            except ScenarioError as error:
                raise PydanticCustomError("threshold", "{message}", {"message": error.message}) from None
        return threshold

    @property
    def needs_templates(self) -> bool:
        """See `Picker.needs_templates`."""
        return False

    def sought(self, finds: Mapping[str, str]) -> tuple[str, ...] | None:
        """See `Picker.sought`."""
        if self.class_ is not None:
            return (self.class_,)
        return super().sought(finds) if finds and "templates" in self.knows else None

    def found(
        self,
        picks: Picks,
        grid: Grid,
        *,
        mask: npt.NDArray[np.bool_] | None = None,
        logs: Mapping[str, str] | None = None,
        notices: Sequence[str] = (),
    ) -> Found:
        """Order one micrograph's picks and cut them, if they have scores.

        Raises
        ------
        ScenarioError
            If there is a threshold and a pick has no score.
        """
        if self.class_ is not None:
            picks = picks.replace(**{"class": self.class_})
        if mask is not None:
            picks = picks.take(_permitted(picks, grid, mask))
        scores = picks["score"]
        scored = bool(np.isfinite(scores).all())
        if self.threshold is not None and not scored:
            without = int((~np.isfinite(scores)).sum())
            raise ScenarioError(
                f"{without} of {len(picks)} picks have no score to cut by; leave the threshold out",
                ("threshold",),
            )
        level = -np.inf if self.threshold is None else _level(self.threshold, scores)
        ordered = picks.take(np.argsort(-scores, kind="stable")) if scored else picks
        return Found(
            picks=ordered.take(ordered["score"] >= level) if scored else ordered,
            score_map=np.zeros(0),
            map_grid=grid,
            threshold=level,
            candidates=ordered if scored else None,
            logs=logs or {},
            notices=tuple(notices),
        )


def _permitted(picks: Picks, grid: Grid, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which picks are on a pixel where something may be picked."""
    pixel = np.rint(np.stack([picks[axis] for axis in grid.axes]) / grid.pixel_size).astype(int)
    inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(pixel, grid.shape, strict=True)])
    return inside & mask[tuple(np.where(inside, pixel, 0))]


def _level(threshold: AnyThreshold, scores: FloatArray) -> float:
    """Return where to cut a list of which the scores are known and nothing else."""

    def unknown(_: float) -> float:
        raise ScenarioError(
            "nothing is known of the noise in the scores of an outside list; cut it by `fixed` or `top`"
        )

    return threshold.level(SearchStatistics(scores, np.nan, unknown))


@dataclass(frozen=True)
class Gathered:
    """Coordinates from files, sorted by micrograph.

    Attributes
    ----------
    picks : mapping
        Micrograph → its picks, upright and in Å; only those that have some.
    known : frozenset of str
        Micrographs that a file is about, be it that it has no rows.
    strangers : mapping
        What rows call a micrograph that is none → number of its rows.
    """

    picks: Mapping[str, Picks]
    known: frozenset[str]
    strangers: Mapping[str, int]


class Convention(Spec):
    """What the numbers of coordinate files count."""

    format: FormatName | None = None
    """Name of the files' format (`simkit list coordinates`); by their names and content by default."""

    pixel_size: PositiveLength | None = None
    """Edge of the pixels that the positions count, before binning; that of the micrographs by default."""

    frame: Literal["upright", "flipped-y", "flipped-x", "transposed"] = "upright"
    """Where the positions count from: flipped-y, from the last row of the micrograph."""

    binning: PositiveNumber = 1.0
    """How many times coarser the image was on which the positions count pixels."""

    def gather(self, files: Sequence[str | Path], plates: Sequence[Plate]) -> Gathered:
        """Read files and bring their coordinates onto the micrographs.

        Raises
        ------
        DataError
            If one cannot be read, or has rows and is about no micrograph at all.
        """
        pixel_size = plates[0].grid.pixel_size
        frame = CoordinateFrame(pixel_size=self.pixel_size or pixel_size, binning=self.binning)
        tables = {str(file): _read(file, frame, self.format) for file in files}
        table = Picks.concat(list(tables.values()))
        home = homes(table["micrograph"].tolist(), tables, [plate.name for plate in plates])
        for file, rows in tables.items():
            names = rows.codes("micrograph")[1]
            if names and all(home[name] is None for name in names):
                raise DataError(
                    f"it is about {called(names)}, and the micrographs are "
                    f"{called([plate.name for plate in plates])}",
                    file,
                )
        rows_of = table.split("micrograph")
        placed = [rows.replace(micrograph=there) for name, rows in rows_of.items() if (there := home[name])]
        turned = upright(
            Picks.concat(placed),
            orientation=self.frame,
            shapes={plate.name: plate.grid.shape for plate in plates},
            pixel_size=pixel_size,
        )
        return Gathered(
            picks=turned.split("micrograph"),
            known=frozenset(there for there in home.values() if there is not None),
            strangers={name: len(rows) for name, rows in rows_of.items() if home[name] is None},
        )


def _read(file: str | Path, frame: CoordinateFrame, format: str | None) -> Picks:
    table = read_coordinates(file, frame=frame, format=format)
    if np.isnan(table["y"]).any():
        raise DataError("it has positions along x alone; a micrograph has rows too", str(file))
    # A file that names no micrograph is about the one it is named after.
    named = any(table.codes("micrograph")[1])
    return table if named else table.replace(micrograph=Path(file).name)
