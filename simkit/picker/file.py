"""Coordinates that are there already, judged like a picker's."""

from __future__ import annotations

from typing import ClassVar, Literal

from simkit.core.paths import DataFiles
from simkit.core.tables import Picks
from simkit.io.names import few
from simkit.io.placing import called
from simkit.picker._outside import Convention, OutsidePicker
from simkit.picker.base import Batch, BatchPicker, Found


class File(Convention, OutsidePicker, BatchPicker):
    """Coordinates already made, by whatever program or person.

    A file that names no micrograph is about the one whose name its own begins with. A micrograph that no
    file is about has no picks. Scores are taken where the format has them.
    """

    kind: Literal["file"] = "file"

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """Coordinate files are about images."""

    files: DataFiles
    """Coordinate files of any registered format."""

    @property
    def knows(self) -> tuple[str, ...]:
        """See `Picker.knows`."""
        return ("what its maker knew",)

    @property
    def sees_pixels(self) -> bool:
        """See `Picker.sees_pixels`."""
        return False

    def pick_all(self, batch: Batch) -> list[Found]:
        """See `BatchPicker.pick_all`.

        Raises
        ------
        DataError
            If a file cannot be read, or is about none of the micrographs.
        """
        gathered = self.gather(self.files, batch.plates)
        unlisted = [plate.name for plate in batch.plates if plate.name not in gathered.known]
        strange = sum(gathered.strangers.values())
        told = {
            f"no file is about {few(unlisted)}: no picks there": bool(unlisted),
            f"{strange} picks are on {called(gathered.strangers)}, of which there is no micrograph; they "
            "are left out": bool(strange),
        }
        notices = [notice for notice, holds in told.items() if holds]
        return [
            self.found(
                gathered.picks.get(plate.name, Picks()),
                plate.grid,
                mask=plate.mask,
                notices=() if number else notices,
            )
            for number, plate in enumerate(batch.plates)
        ]
