"""A function of an installed package, called on one micrograph after the other."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import OutsideError, ScenarioError, SimkitError
from simkit.core.grid import FloatArray, Grid
from simkit.core.paths import DataFiles
from simkit.core.tables import Picks
from simkit.picker._outside import OutsidePicker
from simkit.picker.base import Found, Sight

GIVEN = ("pixel_size", "templates", "mask", "rng")
"""Keywords that every function is called with."""


def as_picks(result: Any, grid: Grid) -> Picks:
    """Turn what a function returned into picks.

    Parameters
    ----------
    result : mapping, structured array or data frame
        Column → values, all of one length: `y` and `x` in pixels from the centre of pixel (0, 0), `x` alone
        in one dimension; optional are the other columns of `Picks` but `micrograph`, lengths in pixels too.
    grid : Grid
        Of the image.

    Raises
    ------
    ValueError
        If it is something else; the message says what.
    """
    columns = _columns(result)
    optional = {name: column for name, column in Picks.columns.items() if name != "micrograph"}
    if missing := [axis for axis in grid.axes if axis not in columns]:
        raise ValueError(f"the result has no column {' and '.join(missing)}; it has {_listed(columns)}")
    if unknown := [name for name in columns if name not in optional]:
        raise ValueError(f"the result has columns {_listed(unknown)}; there are {_listed(optional)}")
    values = {name: _checked(name, value, optional[name].dtype) for name, value in columns.items()}
    lengths = {name: len(value) for name, value in values.items()}
    if len({*lengths.values()}) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"the columns of the result are of different lengths: {told}")
    for axis in grid.axes:
        if wrong := int((~np.isfinite(values[axis])).sum()):
            raise ValueError(f"{wrong} of {len(values[axis])} values of {axis} are not finite")
    for name in values:
        if optional[name].unit == "Å":
            values[name] = values[name] * grid.pixel_size
    if grid.ndim == 1:
        values["y"] = np.zeros(len(values["x"]))
    if "psi" in values:
        values["psi"] = values["psi"] % 360.0
    return Picks(**values)


def _columns(result: Any) -> dict[str, Any]:
    names = getattr(getattr(result, "dtype", None), "names", None)
    if names is None:
        names = result.keys() if isinstance(result, Mapping) else getattr(result, "columns", None)
    if names is None:
        raise ValueError(
            f"the result is of type {type(result).__name__}, not a mapping from column to values"
        )
    return {str(name): result[name] for name in names}


def _checked(name: str, value: Any, dtype: type) -> Any:
    column = np.asarray(value)
    kinds, meant = ("UO", "texts") if dtype is str else ("fiub", "numbers")
    if column.size and column.dtype.kind not in kinds:
        raise ValueError(f"the column {name} of the result does not hold {meant}")
    if column.ndim != 1:
        raise ValueError(f"the column {name} of the result has {column.ndim} dimensions; it must have one")
    return column.astype(dtype)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


class Python(OutsidePicker):
    """A function of an installed package, called on one micrograph after the other.

    It is called as function(pixels, pixel_size=…, templates=…, mask=…, rng=…, **options): a copy of the
    image; Å; a tuple of `TemplateBank`, one for each view; False where nothing may be picked, or None; a
    NumPy generator for whatever is random. It returns columns `y` and `x` in pixels from the centre of pixel
    (0, 0), and if it likes `psi` (degrees, +x towards +y), `score`, `class`, `template` …: see `as_picks`.
    """

    kind: Literal["python"] = "python"

    call: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    """`package.module:function`; the package is installed beside simkit."""

    options: dict[str, JsonValue] = {}
    """Further keywords that the function is called with."""

    depends: DataFiles | None = None
    """Further files that decide what it finds, for example `[weights.pt, "src/**/*.cpp"]`: where one has
    changed, it is run anew."""

    @field_validator("options")
    @classmethod
    def _not_given_twice(cls, options: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := [name for name in options if name in GIVEN]:
            raise PydanticCustomError(
                "options", "{names} is given by simkit; leave it out", {"names": ", ".join(taken)}
            )
        return options

    def require_ready(self) -> None:
        """See `Picker.require_ready`."""
        self._function()

    def _function(self) -> Callable[..., Any]:
        """Import the function.

        Raises
        ------
        ScenarioError
            If there is no such package, or no such function in it.
        OutsideError
            If the package cannot be imported.
        """
        module, name = self.call.split(":")
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise OutsideError(f"{module} cannot be imported: {error}") from error
            raise ScenarioError(
                f"there is no package {error.name}; install it beside simkit", ("call",)
            ) from error
        except Exception as error:
            raise OutsideError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error
        if not callable(found):
            raise ScenarioError(f"{module} has no function {name!r}", ("call",))
        return found

    def pick(self, sight: Sight) -> Found:
        """See `Picker.pick`."""
        function = self._function()
        pixels: FloatArray = np.array(sight.pixels)
        try:
            result = function(
                pixels,
                pixel_size=sight.grid.pixel_size,
                templates=tuple(sight.banks),
                mask=sight.mask,
                rng=sight.rng,
                **self.options,
            )
            picks = as_picks(result, sight.grid)
        except SimkitError:
            raise
        except Exception as error:
            raise OutsideError(
                f"{self.call} failed on {sight.name}: {type(error).__name__}: {error}"
            ) from error
        return self.found(picks, sight.grid, mask=sight.mask)
