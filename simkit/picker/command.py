"""A program that is not ours, started without a shell on micrographs in files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, ClassVar, Literal
from zlib import crc32

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import DataError, OutsideError
from simkit.core.paths import BASE_DIR, DataFiles
from simkit.core.quantity import TIME, PositiveDuration, shortest
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.io.formats import format_named
from simkit.io.placing import called
from simkit.io.programs import Ended, Start, run_programs
from simkit.picker._argv import filled, placeholders
from simkit.picker._desk import Desk
from simkit.picker._outside import Convention, FormatName, OutsidePicker
from simkit.picker.base import Batch, BatchPicker, Found

LAST_LINES = 8
"""Lines of what a program said last that an error repeats."""

HERE = "{here}"
"""Stands for the folder of the scenario file."""


def _runnable(argv: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    folder = Path((info.context or {}).get(BASE_DIR, ".")).absolute()
    here = str(folder).replace("{", "{{").replace("}", "}}")
    placed = [argument.replace(HERE, here) for argument in argv]
    if "/" in placed[0] and not placed[0].startswith(("/", "{")):
        placed[0] = f"{here}/{placed[0]}"
    return tuple(placed)


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("argv", "{message}", {"message": message})


class Output(Convention):
    """The file or files that a program leaves."""

    format: FormatName
    """Name of their format (`simkit list coordinates`)."""

    files: str | None = None
    """Pattern of the files in the working directory, of a program that names them itself (no `{out}`); those
    that end like the format by default."""


class Command(OutsidePicker, BatchPicker):
    """Any program: micrographs in, a coordinate file out.

    It is started without a shell, in a temporary folder of its own, with the environment that simkit has.
    Micrographs are MRC files with a pixel size; real ones are the files themselves. Where there are null
    variants it is started for each once more, so that they cannot change what it finds elsewhere.
    """

    kind: Literal["command"] = "command"

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """MRC holds no one-dimensional images."""

    argv: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_runnable)]
    """The program and its arguments. `{micrographs}`: the files, an argument each; `{micrograph}`: the file,
    where there is one; `{micrograph_folder}`; `{out}`: where to write picks; `{out_folder}`: the same, the
    working directory; `{templates}`: an MRC stack of every view at its first angle; `{pixel_size}`: Å;
    `{seed}`; `{python}`: the Python that runs simkit; `{here}`: the folder of this scenario. A brace is
    written twice."""

    output: Output
    """What it leaves."""

    per: Literal["run", "micrograph"] = "run"
    """run: started once for all micrographs, so that a model is loaded once; micrograph: once for each."""

    timeout: PositiveDuration = 3600.0
    """How long one start may take, for example `20 min`."""

    depends: DataFiles | None = None
    """Further files that decide what it finds, for example `[weights.pt, "src/**/*.cpp"]`: where one has
    changed, it is run anew."""

    @field_validator("argv")
    @classmethod
    def _placeholders_exist(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        for argument in argv:
            try:
                placeholders(argument)
            except ValueError as error:
                raise _wrong(str(error)) from None
        return argv

    @model_validator(mode="after")
    def _consistent(self) -> Command:
        if self.per == "run" and "micrograph" in self._asked:
            raise _wrong("{micrograph} needs `per: micrograph`; write {micrographs} for all of them")
        if "out" in self._asked and self.output.files is not None:
            raise _wrong("write either {out} in argv or `files:` under `output:`")
        return self

    @property
    def _asked(self) -> set[str]:
        return {name for argument in self.argv for name in placeholders(argument)}

    @property
    def needs_templates(self) -> bool:
        """See `Picker.needs_templates`."""
        return "templates" in self._asked

    @property
    def knows(self) -> tuple[str, ...]:
        """See `Picker.knows`."""
        return ("pixel size", "templates") if self.needs_templates else ("pixel size",)

    def require_ready(self) -> None:
        """See `Picker.require_ready`."""
        self._program()

    def _program(self) -> str:
        written = self.argv[0].format_map({"python": sys.executable})
        found = shutil.which(written)
        if found is None:
            raise OutsideError(f"there is no program {written!r} here; install it, or write where it is")
        return found

    def pick_all(self, batch: Batch) -> list[Found]:
        """See `BatchPicker.pick_all`."""
        together = self.per == "run"
        parts = [tuple(batch.plates)] if together else [(plate,) for plate in batch.plates]
        first = int(batch.rng.integers(2**31))
        # By name, since others may have been given to other processes.
        seeds = [first if together else (first + crc32(part[0].name.encode())) % 2**31 for part in parts]
        found: dict[str, Found] = {}
        with TemporaryDirectory(prefix="simkit-") as root:
            desks = [Desk(Path(root, str(number)), part) for number, part in enumerate(parts)]

            def ended(number: int, how: Ended) -> None:
                found.update(self._result(desks[number], how, batch.banks))
                desks[number].clear()

            run_programs(
                (self._start(desk, batch, seed) for desk, seed in zip(desks, seeds, strict=True)),
                at_once=1 if together else batch.workers,
                timeout=self.timeout,
                ended=ended,
            )
        return [found[plate.name] for plate in batch.plates]

    def _start(self, desk: Desk, batch: Batch, seed: int) -> Start:
        """Lay out what a program is given."""
        micrographs = desk.lay_out(batch.banks if self.needs_templates else ())
        values = {
            "micrograph": micrographs[0],
            "micrograph_folder": str(desk.micrographs),
            "out": str(self._out(desk)),
            "out_folder": str(desk.work),
            "templates": str(desk.templates),
            "pixel_size": shortest(desk.plates[0].grid.pixel_size),
            "seed": str(seed),
            "python": sys.executable,
        }
        return Start((self._program(), *filled(self.argv[1:], values, micrographs)), desk.work, desk.log)

    def _out(self, desk: Desk) -> Path:
        return desk.work / f"picks{format_named(self.output.format).suffixes[0]}"

    def _result(self, desk: Desk, how: Ended, banks: Sequence[TemplateBank]) -> dict[str, Found]:
        """Read what a program left, or say how it failed."""
        if how.code is None:
            raise self._failed(f"was not done after {TIME.write(self.timeout)} and was ended", how)
        if how.code:
            ending = (
                f"was ended by signal {-how.code}" if how.code < 0 else f"ended with exit code {how.code}"
            )
            raise self._failed(ending, how)
        try:
            gathered = self.output.gather(self._written(desk, how), desk.plates)
        except DataError as error:
            name = Path(error.file).name if error.line is None else f"{Path(error.file).name}:{error.line}"
            raise self._failed(f"wrote what cannot be used: {name}: {error.message}", how) from error
        if gathered.strangers:
            names = called([plate.name for plate in desk.plates])
            raise self._failed(
                f"gave picks on {called(gathered.strangers)}, and the micrographs are {names}", how
            )
        before = "" if self.per == "run" else f"{desk.plates[0].name}."
        logs = {
            f"{before}{name}.txt": text for name, text in (("stdout", how.out), ("stderr", how.err)) if text
        }
        return {
            plate.name: self.found(
                self._classed(gathered.picks.get(plate.name, Picks()), banks),
                plate.grid,
                mask=plate.mask,
                logs={} if number else logs,
            )
            for number, plate in enumerate(desk.plates)
        }

    def _written(self, desk: Desk, how: Ended) -> list[Path]:
        """Return the files that a program left."""
        if "out" in self._asked:
            if not self._out(desk).is_file():
                raise self._failed("ended well and wrote no file to {out}", how)
            return [self._out(desk)]
        suffixes = format_named(self.output.format).suffixes
        patterns = [self.output.files] if self.output.files else [f"**/*{suffix}" for suffix in suffixes]
        found = sorted({file for pattern in patterns for file in desk.work.glob(pattern) if file.is_file()})
        if not found:
            raise self._failed(f"ended well and left no file {' or '.join(patterns)}", how)
        return found

    def _classed(self, picks: Picks, banks: Sequence[TemplateBank]) -> Picks:
        """Say which template a class stands for, where classes are numbers of the templates' stack."""
        if not self.needs_templates or format_named(self.output.format).first_class is None:
            return picks
        bank_of = {str(number): bank for number, bank in enumerate(banks, start=1)}
        banked = [bank_of.get(name) for name in picks["class"].tolist()]
        return picks.replace(
            **{"class": [bank.finds if bank else "" for bank in banked]},
            template=[bank.name if bank else "" for bank in banked],
        )

    def _failed(self, how: str, ended: Ended) -> OutsideError:
        said = (ended.err.strip() or ended.out.strip()).splitlines()[-LAST_LINES:]
        last = "".join(f"\n  {line}" for line in said) or " nothing"
        return OutsideError(f"{Path(self._program()).name} {how}; the last it said:{last}")
