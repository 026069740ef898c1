"""Where a program that is not ours works: the files it is given, and where it leaves its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.paths import split_dataset
from simkit.correlation.bank import TemplateBank
from simkit.io.mrc import write_mrc, write_mrc_stack
from simkit.picker.base import Plate


def stack(banks: Sequence[TemplateBank]) -> FloatArray:
    """Return every view of the templates at its first angle, in boxes of one size.

    Parameters
    ----------
    banks : sequence of TemplateBank
        One for each view.

    Returns
    -------
    array, shape (n, ny, nx)
        Smaller ones stand in zeros, which is their mean, each with its centre on the central pixel n // 2.
    """
    images = [bank.images[0] for bank in banks]
    shape = np.max([image.shape for image in images], axis=0)
    drawn = np.zeros((len(images), *shape))
    for into, image in zip(drawn, images, strict=True):
        start = [n // 2 - m // 2 for n, m in zip(shape, image.shape, strict=True)]
        into[tuple(slice(i, i + m) for i, m in zip(start, image.shape, strict=True))] = image
    return drawn


@dataclass(frozen=True)
class Desk:
    """The folders of one start of a program.

    Attributes
    ----------
    root : Path
        Holds all of them.
    plates : tuple of Plate
        The micrographs that it is given.
    """

    root: Path
    plates: tuple[Plate, ...]

    @property
    def micrographs(self) -> Path:
        """Holds the micrographs."""
        return self.root / "micrographs"

    @property
    def work(self) -> Path:
        """The program's working directory."""
        return self.root / "work"

    @property
    def log(self) -> Path:
        """Holds what the program prints."""
        return self.root / "log"

    @property
    def templates(self) -> Path:
        """The file of the templates."""
        return self.root / "templates.mrcs"

    def lay_out(self, banks: Sequence[TemplateBank]) -> list[str]:
        """Put micrographs and templates where the program will find them; return the micrographs' files.

        Micrographs that are files are linked.
        """
        self.micrographs.mkdir(parents=True)
        self.work.mkdir()
        if banks:
            write_mrc_stack(self.templates, stack(banks), banks[0].pixel_size)
        return [str(self._laid(plate)) for plate in self.plates]

    def _laid(self, plate: Plate) -> Path:
        if plate.file is not None and split_dataset(plate.file)[1] is None:
            link = self.micrographs / Path(plate.file).name
            link.symlink_to(Path(plate.file).absolute())
            return link
        file = self.micrographs / f"{plate.name}.mrc"
        write_mrc(file, plate.pixels(), plate.grid.pixel_size)
        return file

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root)
