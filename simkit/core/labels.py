"""Text by the million: a number a row, and the few different texts once.

A micrograph's name stands in every row of its particles. Ten million names of 30 letters are 1.2 GB as
an array of text, 40 MB as numbers of names, and comparing numbers takes a hundredth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Labels(Sequence[str]):
    """Texts of n rows; build them with `of`, `coded` or `constant`, which keep what is promised here.

    Attributes
    ----------
    codes : array of int32, shape (n,)
        Row → number of its text in `names`; not to be written to.
    names : tuple of str
        The different texts, sorted; each stands in some row.
    """

    codes: Codes
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Labels:
        """Give numbers to the texts of all rows."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(text, len(numbers)) for text in texts]
        return cls.coded(np.array(codes, np.int32), list(numbers))

    @classmethod
    def constant(cls, text: str, n: int) -> Labels:
        """Return the same text n times."""
        return cls.coded(np.broadcast_to(np.int32(0), (n,)), [text])

    @classmethod
    def coded(cls, codes: npt.NDArray[Any], names: Sequence[str]) -> Labels:
        """Take numbers of names that may repeat, stand in any order, or stand in no row."""
        used = np.flatnonzero(np.bincount(codes, minlength=len(names))).tolist()
        kept = tuple(sorted({names[code] for code in used}))
        if len(kept) == 1:
            return cls(np.broadcast_to(np.int32(0), codes.shape), kept)
        if kept != tuple(names):
            order = {name: code for code, name in enumerate(kept)}
            renumbered = np.zeros(len(names), np.int32)
            renumbered[used] = [order[names[code]] for code in used]
            codes = renumbered[codes]
        numbers = codes.astype(np.int32, copy=False).view()
        numbers.flags.writeable = False
        return cls(numbers, kept)

    @classmethod
    def concat(cls, parts: Sequence[Labels]) -> Labels:
        """Stack the rows of several."""
        names = sorted(set().union(*(part.names for part in parts)))
        order = {name: np.int32(code) for code, name in enumerate(names)}
        codes = [np.array([order[name] for name in part.names], np.int32)[part.codes] for part in parts]
        return cls.coded(np.concatenate([np.empty(0, np.int32), *codes]), names)

    def take(self, rows: npt.NDArray[Any]) -> Labels:
        """Return the rows at some indices."""
        if len(self.names) == 1:
            return Labels.constant(self.names[0], len(rows))
        return Labels.coded(self.codes[rows], self.names)

    def renamed(self, rename: Callable[[str], str]) -> Labels:
        """Call every text something else; different texts may become the same."""
        return Labels.coded(self.codes, [rename(name) for name in self.names])

    def among(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Tell of every row whether its text is one of `names`."""
        wanted = set(names)
        return np.array([name in wanted for name in self.names], bool)[self.codes]

    def counts(self) -> dict[str, int]:
        """Return text → how many rows have it."""
        return dict(zip(self.names, np.bincount(self.codes).tolist(), strict=True))

    def spelled_out(self) -> npt.NDArray[np.str_]:
        """Return an array of text, shape (n,), which takes four bytes for every letter of the longest."""
        texts = np.array(self.names, dtype=str)[self.codes]
        texts.flags.writeable = False
        return texts

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return map(self.names.__getitem__, self.codes.tolist())

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Labels: ...
    def __getitem__(self, row: int | slice) -> str | Labels:
        if isinstance(row, slice):
            return Labels.coded(self.codes[row], self.names)
        return self.names[self.codes[row]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Labels):
            return NotImplemented
        return self.names == other.names and np.array_equal(self.codes, other.codes)

    __hash__ = None  # type: ignore[assignment]


def common_codes(*columns: Labels) -> tuple[Codes, ...]:
    """Return the rows of several columns as numbers of texts, equal texts having equal numbers in all."""
    together = Labels.concat(columns).codes
    return tuple(np.split(together, np.cumsum([len(column) for column in columns])[:-1]))
