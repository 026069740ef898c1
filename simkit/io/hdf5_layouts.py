"""How programs lay out images in HDF5: which array is the signal, and the size of its pixels.

HyperSpy (and atomap)
    ``/Experiments/*/data``, beside it the groups ``axis-0`` … with `scale`, `units`, `size`.
NeXus
    The `default` attributes lead to a group whose `signal` names the array and whose `axes` name one
    array of coordinates an axis, each with `units`.
EMD of Berkeley
    A group with `emd_group_type`: ``data``, and coordinates ``dim1`` … with `units`.
EMD of Velox
    ``/Data/Image/*/Data``, frames last, and ``Metadata``, JSON with ``BinaryResult.PixelSize``.

Coordinates must be evenly spaced; a unit that is no length gives no pixel size.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any, Protocol

import h5py
import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.stored import SAME, in_angstrom

Sizes = tuple[float | None, ...]

LONGEST_TRAIL = 16
"""Most `default` attributes that are followed: a group may name itself."""


class Layout(Protocol):
    """A way to lay out images."""

    def signals(self, group: h5py.Group) -> list[str]:
        """Return the names, relative to the group, of the arrays that this layout calls its signals."""
        ...

    def pixel_sizes(self, opened: h5py.File, place: str, name: str) -> Sizes | None:
        """Return Å along every axis of the array at `place`; None where this is not its layout."""
        ...


class NeXus:
    """`signal` and `axes` attributes."""

    def signals(self, group: h5py.Group) -> list[str]:
        """Follow `default` to the signal; without it, every group of class NXdata has one."""
        trail, here = "", group
        for _ in range(LONGEST_TRAIL):
            if not (isinstance(here, h5py.Group) and (default := _text(here.attrs.get("default")))):
                break
            trail, here = posixpath.join(trail, default), here.get(default)
        if isinstance(here, h5py.Group) and (signal := _text(here.attrs.get("signal"))):
            return [posixpath.join(trail, signal)]
        found: list[str] = []

        def note(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Group) and _text(item.attrs.get("NX_class")) == "NXdata":
                signal = _text(item.attrs.get("signal"))
                found.extend([posixpath.join(name, signal)] if signal else [])

        group.visititems(note)
        return found

    def pixel_sizes(self, opened: h5py.File, place: str, name: str) -> Sizes | None:
        """See `Layout.pixel_sizes`."""
        group, dataset = opened[posixpath.dirname(place)], opened[place]
        if "axes" not in group.attrs:
            return None
        axes = group.attrs["axes"]
        # Older files have one text, "y:x" or "y,x"; newer ones an array of names.
        names = (
            _text(axes).replace(",", ":").split(":") if _text(axes) else [_text(a) for a in np.ravel(axes)]
        )
        if len(names) != dataset.ndim:
            raise DataError(f"it has {len(names)} axes and {dataset.ndim} dimensions", name)
        return tuple(
            _spacing(group.get(axis), n, axis, name) if axis != "." else None
            for axis, n in zip(names, dataset.shape, strict=True)
        )


class HyperSpy:
    """Groups `axis-0`, `axis-1` … beside the array."""

    def signals(self, group: h5py.Group) -> list[str]:
        """Return every ``data`` under ``Experiments``, or of the experiment itself."""
        if "axis-0" in group and "data" in group:
            return ["data"]
        experiments = group.get("Experiments")
        found = experiments.items() if isinstance(experiments, h5py.Group) else ()
        return [
            f"Experiments/{key}/data" for key, one in found if isinstance(one, h5py.Group) and "data" in one
        ]

    def pixel_sizes(self, opened: h5py.File, place: str, name: str) -> Sizes | None:
        """See `Layout.pixel_sizes`."""
        group, dataset = opened[posixpath.dirname(place)], opened[place]
        if "axis-0" not in group:
            return None
        return tuple(self._size(group.get(f"axis-{i}"), n, i, name) for i, n in enumerate(dataset.shape))

    @staticmethod
    def _size(axis: Any, length: int, number: int, name: str) -> float | None:
        attributes = {} if axis is None else axis.attrs
        if int(attributes.get("size", length)) != length:
            raise DataError(
                f"its axis-{number} has {attributes['size']} points, the array {length} along it", name
            )
        return in_angstrom(float(attributes.get("scale", np.nan)), _text(attributes.get("units")))


class Berkeley:
    """EMD: `dim1`, `dim2` … beside the array."""

    def signals(self, group: h5py.Group) -> list[str]:
        """Return the ``data`` of every EMD group."""
        if "emd_group_type" in group.attrs and "data" in group:
            return ["data"]
        found: list[str] = []

        def note(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Group) and "emd_group_type" in item.attrs and "data" in item:
                found.append(f"{name}/data")

        group.visititems(note)
        return found

    def pixel_sizes(self, opened: h5py.File, place: str, name: str) -> Sizes | None:
        """See `Layout.pixel_sizes`."""
        group, dataset = opened[posixpath.dirname(place)], opened[place]
        if "dim1" not in group:
            return None
        return tuple(
            _spacing(group.get(f"dim{i}"), n, f"dim{i}", name) for i, n in enumerate(dataset.shape, start=1)
        )


class Velox:
    """EMD of Velox: JSON beside the array."""

    @staticmethod
    def holds(opened: h5py.File, place: str) -> bool:
        """Tell whether an array is an image of Velox, its frames along the last axis."""
        group, name = posixpath.split(place)
        return name == "Data" and "Metadata" in opened[group] and opened[place].ndim == 3

    def signals(self, group: h5py.Group) -> list[str]:
        """Return every image."""
        images = group.get("Data/Image")
        return [f"Data/Image/{key}/Data" for key in images] if isinstance(images, h5py.Group) else []

    def pixel_sizes(self, opened: h5py.File, place: str, name: str) -> Sizes | None:
        """See `Layout.pixel_sizes`; the frames come first here."""
        if not self.holds(opened, place):
            return None
        text = np.asarray(
            opened[posixpath.join(posixpath.dirname(place), "Metadata")][:, 0], np.uint8
        ).tobytes()
        result = json.loads(text.rstrip(b"\0").decode("utf-8", "replace")).get("BinaryResult", {})
        sizes = result.get("PixelSize", {})
        return (
            None,
            *(
                in_angstrom(float(sizes.get(side, "nan")), str(result.get(f"PixelUnit{axis}", "")))
                for axis, side in (("Y", "height"), ("X", "width"))
            ),
        )


LAYOUTS: tuple[Layout, ...] = (NeXus(), HyperSpy(), Berkeley(), Velox())


def _spacing(axis: Any, length: int, label: str, name: str) -> float | None:
    """Return the spacing (Å) of coordinates: of pixel centres, of edges, or the first two only."""
    if not isinstance(axis, h5py.Dataset) or axis.ndim != 1 or axis.dtype.kind not in "fiu":
        return None
    if axis.size not in (length, length + 1, 2):
        raise DataError(
            f"its axis {label} has {axis.size} coordinates for {length} pixels; correct one of them", name
        )
    values = np.asarray(axis[:], float)
    unit = _text(axis.attrs.get("units"))
    if len(values) < 2 or in_angstrom(step := _step(values), unit) is None:
        return None
    if not np.allclose(np.diff(values), step, rtol=0, atol=_unevenness(values, step)):
        raise DataError(
            f"its axis {label} is not evenly spaced; resample the image, or drop the unit of the axis", name
        )
    return in_angstrom(step, unit)


def _step(values: FloatArray) -> float:
    return float(values[-1] - values[0]) / (len(values) - 1)


def _unevenness(values: FloatArray, step: float) -> float:
    """Return how much a step may be off: by rounding coordinates to single precision, at least."""
    return SAME * abs(step) + 4 * float(np.finfo(np.float32).eps * np.abs(values).max())


def _text(value: Any) -> str:
    """Return an attribute as text; empty where it is none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
