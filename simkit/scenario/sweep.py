"""What a sweep declares: axes over any path of the scenario, how often, and what is asked of it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import DIMENSIONS, Count, Fraction, Index, PositiveNumber, shortest
from simkit.core.spec import Spec

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""Of an axis or a case: it becomes a column."""

Dotted = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""A path of the scenario with dots between, as ``--set`` takes it: ``noise.shot.dose``."""

Values = Annotated[tuple[Any, ...], Field(min_length=1)]

MOST_CELLS = 1_000_000
"""More cells than that are a slip of the pen."""


class Span(Spec):
    """Both ends of a stretch of values, each with its unit where there is one."""

    from_: float | str = Field(alias="from")
    """First value."""

    to: float | str
    """Last value, included."""

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends in canonical units."""
        return self._read[0]

    @property
    def unit(self) -> str:
        """The canonical unit; empty for plain numbers."""
        return self._read[1]

    def written(self, value: float) -> float | str:
        """Return a value as a scenario file has it, with its unit."""
        return f"{shortest(value)} {self.unit}" if self.unit else value

    @property
    def _read(self) -> tuple[tuple[float, float], str]:
        (first, unit), (last, other) = measured(self.from_), measured(self.to)
        if unit != other:
            raise ValueError(f"{self.from_!r} and {self.to!r} are of different kinds")
        return (first, last), unit

    @model_validator(mode="after")
    def _of_one_kind(self) -> Span:
        try:
            first, last = self.ends
        except ValueError as error:
            raise PydanticCustomError("span", "{message}", {"message": str(error)}) from None
        if first == last:
            raise PydanticCustomError("span", "`from:` and `to:` are the same value")
        return self


def measured(value: float | str) -> tuple[float, str]:
    """Return a number in canonical units, and the unit: of ``"1.5 µm"`` 15000.0 and "Å".

    Raises
    ------
    ValueError
        If it is no number, or has a unit that nothing is measured in.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, (int, float)):
        return float(value), ""
    for dimension in DIMENSIONS:
        if any(value.rstrip().endswith(unit) for unit in dimension.factors):
            try:
                return dimension.parse(value), dimension.unit
            except ValueError:
                continue
    raise ValueError(f"{value!r} is not a number with a unit; write for example `1.5 µm`")


class Steps(Span):
    """A stretch of values and how many of them."""

    count: Annotated[int, Field(strict=True, ge=2, le=10_000)]
    """How many, both ends among them."""


def _positive(span: Span) -> None:
    if min(span.ends) <= 0:
        raise PydanticCustomError("span", "logarithmic steps need both ends above 0")


class Axis(Spec):
    """One thing that is varied: exactly one of its ways of saying how."""

    path: Dotted | None = None
    """What is varied, for example ``noise.shot.dose``; none for `zip` and for cases that set several."""

    values: Values | None = None
    """Every value, each as the scenario would have it."""

    linspace: Steps | None = None
    """Values at equal steps."""

    logspace: Steps | None = None
    """Values at equal ratios."""

    between: Span | None = None
    """A stretch from which a sampler or a search takes its values."""

    scale: Literal["linear", "log"] = "linear"
    """How `between` is divided."""

    zip: dict[Dotted, Values] | None = None
    """Path → its values; all lists of one length, taken side by side."""

    cases: dict[Name, Any] | None = None
    """Name → what stands at `path` in that case: a value or a whole component. Without a path: name → a
    mapping of paths to their values."""

    @property
    def way(self) -> str:
        """Which of the ways is used."""
        return next(way for way in WAYS if getattr(self, way) is not None)

    @model_validator(mode="after")
    def _one_way(self) -> Axis:
        used = [way for way in WAYS if getattr(self, way) is not None]
        if len(used) != 1:
            raise PydanticCustomError(
                "axis",
                "an axis says its values in one way, {ways}; this one uses {used}",
                {"ways": ", ".join(WAYS), "used": " and ".join(used) or "none"},
            )
        if used[0] == "zip" and self.path is not None:
            raise PydanticCustomError("axis", "`zip:` names its own paths; leave `path:` out")
        if self.path is None and used[0] not in ("zip", "cases"):
            raise PydanticCustomError("axis", "say what is varied: `path: noise.shot.dose`")
        if self.logspace is not None:
            _positive(self.logspace)
        if self.between is not None and self.scale == "log":
            _positive(self.between)
        self._check_zip()
        self._check_cases()
        return self

    def _check_zip(self) -> None:
        lengths = {path: len(values) for path, values in (self.zip or {}).items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{path} has {n}" for path, n in lengths.items())
            raise PydanticCustomError(
                "axis", "the lists of a `zip:` must be of one length; {told}", {"told": told}
            )

    def _check_cases(self) -> None:
        if self.cases is None or self.path is not None:
            return
        for name, case in self.cases.items():
            if not isinstance(case, dict) or not all(isinstance(key, str) for key in case):
                raise PydanticCustomError(
                    "axis",
                    "the case {name} must map paths to values, for example `noise.shot.dose: 5 e/Å²`; "
                    "or give the axis a `path:`",
                    {"name": name},
                )


WAYS = ("values", "linspace", "logspace", "between", "zip", "cases")


class Sample(Spec):
    """Points of a cube spread over all axes that are `between` two values."""

    kind: Literal["sobol", "latin_hypercube", "random"]
    """How they are spread."""

    count: Count
    """How many; for `sobol` best a power of two."""

    seed: Index = 0
    """Of the scrambling."""


class Block(Spec):
    """Some axes crossed with each other."""

    axes: Annotated[dict[Name, Axis], Field(min_length=1)]
    """Name → what is varied. Every value of one is combined with every value of the others."""

    exclude: tuple[dict[Name, Any], ...] = ()
    """Combinations to leave out: axis → a value, a list of values, or a comparison such as ``"< 5 e/Å²"``.
    Those where all the axes of an entry agree are left out."""

    sample: Sample | None = None
    """How values are taken from the axes that are `between` two values."""


class Until(Spec):
    """Replicates are added until the answer is known."""

    at_least: Count = 6
    """How many there are at first; six are the fewest that give an interval."""

    at_most: Count
    """Where adding ends, whether the answer is known or not."""

    picker: Name
    """Whose metric it is."""

    against: Name | None = None
    """Another picker: then it is about the difference of the two."""

    class_: str = Field(default="all", alias="class")
    """Species to judge on; differences are always those of `all`."""

    metric: str = "f1"
    """Which value; of a difference `f1`, `recall` or `precision`."""

    half_width: PositiveNumber | None = None
    """Enough once the interval of 95 % is at most this far to either side."""

    margin: Fraction | None = None
    """Enough once the interval of the difference lies on one side of −margin: the picker is then shown not to
    be worse than the other by more than that, or to be. 0 asks which one is better."""

    @model_validator(mode="after")
    def _complete(self) -> Until:
        if (self.half_width is None) == (self.margin is None):
            raise PydanticCustomError("until", "say when it is enough: `half_width:` or `margin:`")
        if self.margin is not None and self.against is None:
            raise PydanticCustomError("until", "a `margin:` is one of a difference; name a picker `against:`")
        if self.against is not None and self.metric not in ("f1", "recall", "precision"):
            raise PydanticCustomError("until", "pickers are compared by `f1`, `recall` or `precision`")
        if self.at_most < self.at_least:
            raise PydanticCustomError("until", "`at_most:` is less than `at_least:`")
        return self


class Find(Spec):
    """A search along one axis for the point where something changes."""

    along: Name
    """The axis, which is `between` two values. Every combination of the other axes is searched."""

    picker: Name
    """Whose metric it is."""

    class_: str = Field(default="all", alias="class")
    """Species to judge on."""

    metric: str = "recall"
    """Which value."""

    crosses: float | None = None
    """The level that the metric crosses."""

    overtakes: Name | None = None
    """The picker whose metric it crosses."""

    cells: Annotated[int, Field(strict=True, ge=3, le=100)] = 8
    """Cells to spend on every search, both ends among them."""

    @model_validator(mode="after")
    def _one_aim(self) -> Find:
        if (self.crosses is None) == (self.overtakes is None):
            raise PydanticCustomError("find", "say what is looked for: `crosses:` or `overtakes:`")
        if self.crosses is not None and not math.isfinite(self.crosses):
            raise PydanticCustomError("find", "`crosses:` must be a finite level")
        return self


class Sweep(Block):
    """Many runs of one scenario, each a combination of the axes' values: a cell.

    All cells have the scenario's seed, so that every method sees the same micrographs and a difference
    between cells is not one of luck.
    """

    union: tuple[Block, ...] = ()
    """Further blocks of cells."""

    replicates: Count | Until | None = None
    """Micrographs of each cell, in place of the scenario's own `replicates`; or until when to add some."""

    find: Find | None = None
    """A search along one axis in place of all its values."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The sweep's own block and those of the union."""
        return (self, *self.union)

    @model_validator(mode="after")
    def _between_is_used(self) -> Sweep:
        for block in self.blocks:
            open_axes = [name for name, axis in block.axes.items() if axis.between is not None]
            sought = self.find.along if self.find else None
            left = [name for name in open_axes if name != sought]
            if left and block.sample is None:
                raise PydanticCustomError(
                    "sweep",
                    "{axis} is `between` two values, and nothing says which to take; add `sample:` or use "
                    "`linspace:`",
                    {"axis": left[0]},
                )
            if block.sample is not None and not left:
                raise PydanticCustomError("sweep", "`sample:` needs an axis `between` two values")
        if self.find is not None:
            self._check_find(self.find)
        return self

    def _check_find(self, find: Find) -> None:
        if self.union:
            raise PydanticCustomError("sweep", "a `find:` takes one block of axes, no `union:`")
        if find.along not in self.axes or self.axes[find.along].between is None:
            raise PydanticCustomError(
                "sweep",
                "{axis} must be an axis that is `between` two values, to be searched along",
                {"axis": find.along},
            )
