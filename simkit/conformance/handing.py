"""The kit's micrographs handed out as files, and picks of them handed in: for what simkit cannot start."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit.conformance.bench import PickerFailedError, PickerSubject, Subject
from simkit.conformance.card import examine
from simkit.conformance.scene import ALONE, BOTH, Exposure, banks, holes_are_meant
from simkit.core.errors import SimkitError
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.core.tables import Picks
from simkit.io.mrc import write_mrc, write_mrc_stack
from simkit.picker.base import Batch, Found, Picker, Plate
from simkit.picker.file import File

SPECIES = "two_species"
"""Folder of the micrographs that hold two species, beside their templates."""


@dataclass(frozen=True)
class _Onlooker:
    """Takes all trials, finds nothing and remembers what it was shown."""

    shown: dict[str, Exposure]
    name: str = "onlooker"
    cut: str = ""
    asked: bool = True

    def look(self, exposures: Sequence[Exposure]) -> list[Found]:
        self.shown.update((exposure.name, exposure) for exposure in exposures)
        return [Found(Picks(), np.zeros(0), exposure.grid, 0.0) for exposure in exposures]


def collection(*, quick: bool = False) -> Mapping[str, Exposure]:
    """Return every micrograph of the kit by its name."""
    shown: dict[str, Exposure] = {}
    examine(_Onlooker(shown), quick=quick)
    return shown


def hand_out(folder: Path, *, quick: bool = False) -> int:
    """Write every micrograph as MRC, those of two species in a folder of their own, with the templates.

    The templates are ``templates.mrcs`` in both folders, every view at its first angle.

    Returns
    -------
    int
        How many micrographs there are.
    """
    all_of_them = collection(quick=quick)
    for templates, place in ((ALONE, folder), (BOTH, folder / SPECIES)):
        place.mkdir(parents=True, exist_ok=True)
        views = banks(templates)
        write_mrc_stack(
            place / "templates.mrcs", _stack([bank.images[0] for bank in views]), views[0].pixel_size
        )
        with holes_are_meant():
            for exposure in all_of_them.values():
                if exposure.templates == templates:
                    write_mrc(place / f"{exposure.name}.mrc", exposure.pixels, exposure.pixel_size)
    return len(all_of_them)


def _stack(images: Sequence[np.ndarray]) -> np.ndarray:
    side = max(image.shape[0] for image in images)
    # Boxes are odd, so that padding evenly keeps the centre in the middle.
    return np.stack([np.pad(image, (side - image.shape[0]) // 2) for image in images])


@dataclass(frozen=True)
class HandedIn:
    """Picks of the kit's micrographs that somebody else's program made.

    Attributes
    ----------
    name : str
        What the card calls it.
    picker : File
        Where they are.
    quick : bool
        Whether only the fewer micrographs were handed out.
    """

    name: str
    picker: File
    quick: bool = False
    asked: bool = False

    @property
    def cut(self) -> str:
        """See `Subject.cut`."""
        return self.picker.cut

    @functools.cached_property
    def _found(self) -> Mapping[str, Found]:
        exposures = collection(quick=self.quick)
        plates = [
            Plate(name, Grid(one.pixels.shape, one.pixel_size), _unseen) for name, one in exposures.items()
        ]
        try:
            found = self.picker.pick_all(Batch(plates, banks(ALONE), stream(0, "handed in")))
        except SimkitError as error:
            raise PickerFailedError(str(error)) from error
        return dict(zip(exposures, found, strict=True))

    def look(self, exposures: Sequence[Exposure]) -> list[Found]:
        """See `Subject.look`."""
        return [self._found[exposure.name] for exposure in exposures]


def _unseen() -> np.ndarray:
    raise RuntimeError("lists made before look at no pixels")


def subject_of(name: str, picker: Picker, *, quick: bool = False, workers: int = 1) -> Subject:
    """Return who takes the trials: a picker, or lists that were made before."""
    if isinstance(picker, File):
        return HandedIn(name, picker, quick)
    return PickerSubject(name, picker, workers)
