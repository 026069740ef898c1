"""Which micrograph a coordinate file, or a name written in one, is about.

Programs name a micrograph's coordinates after it and add something of their own: of
``mic_10.mrc``, ``mic_10_autopick.star``, ``mic_10.box``, ``info/mic_10_info.json``; and cryoSPARC
puts a number before it, ``008578565574161745010_mic_10.mrc``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import PurePath
from string import ascii_letters, digits

SPELLED_OUT = 3
"""Names that a message spells out before it only counts them."""

_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")
_UID = re.compile(r"^\d+_(?=.)")


def stem(micrograph: str) -> str:
    """Return a micrograph's name without folders and suffix; ``.02`` of a time of day is no suffix."""
    name = PurePath(micrograph)
    if name.suffix.lower() in _COMPRESSED:
        name = PurePath(name.stem)
    return name.stem if _SUFFIX.fullmatch(name.suffix) else name.name


class MicrographNames:
    """The micrographs there are, to be found by what coordinates call them.

    Parameters
    ----------
    micrographs : iterable of str
        Names or paths.
    """

    def __init__(self, micrographs: Iterable[str]) -> None:
        self._names = dict.fromkeys(micrographs)
        self._by_stem = self._grouped(stem)
        self._by_stem_without_uid = self._grouped(lambda micrograph: _UID.sub("", stem(micrograph)))

    def _grouped(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for micrograph in self._names:
            groups.setdefault(key(micrograph), []).append(micrograph)
        return groups

    def find(self, file_or_name: str | PurePath) -> str | None:
        """Return the micrograph to which a coordinate file or a micrograph's name belongs.

        It is the one whose stem the name begins with, the longest such; what follows the stem must not be a
        letter or digit, so that ``mic_10_autopick.star`` is not about ``mic_1.mrc``. Folders do not
        matter. Where nothing fits, the number that cryoSPARC puts before names is left out, of the name or
        of the micrographs.

        Parameters
        ----------
        file_or_name : str or PurePath
            ``AutoPick/job007/mic_10_autopick.star``, or what a row of a table calls its micrograph.

        Returns
        -------
        str or None
            The micrograph as it was given; None where none fits, or several fit equally well.
        """
        if str(file_or_name) in self._names:
            return str(file_or_name)
        name = PurePath(file_or_name).name
        for start, by_stem in (
            (name, self._by_stem),
            (_UID.sub("", name), self._by_stem),
            (name, self._by_stem_without_uid),
        ):
            if fitting := _longest(start, by_stem):
                return fitting[0] if len(fitting) == 1 else None
        return None


def micrograph_of(file_or_name: str | PurePath, micrographs: Iterable[str]) -> str | None:
    """Return the one of a few micrographs to which a name belongs; see `MicrographNames.find`."""
    return MicrographNames(micrographs).find(file_or_name)


def _longest(name: str, by_stem: Mapping[str, list[str]]) -> list[str]:
    """Return the micrographs with the longest stem that a name begins with."""
    for end in range(len(name), 0, -1):
        if not name[end : end + 1].isalnum() and (fitting := by_stem.get(name[:end])):
            return fitting
    return []


def same_micrographs(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Return what two sets of coordinates call the same micrograph: name → other name.

    One name belongs to the other, by `MicrographNames.find`; or, where none does, both do once what all
    names of a set end in is left out, as of ``mic_1.crYOLO.box, mic_2.crYOLO.box`` and ``mic_1.expert.csv,
    …``.
    """
    mine, theirs = MicrographNames(names), MicrographNames(others)
    backwards = {name: other for other in others if (name := mine.find(other))}
    direct = {name: other for name in names if (other := theirs.find(name) or backwards.get(name))}
    if direct:
        return direct
    bare = dict(zip(_without_ending(others), others, strict=True))
    known = MicrographNames(bare)
    pairs = zip(names, _without_ending(names), strict=True)
    return {name: bare[same] for name, short in pairs if (same := known.find(short))}


def _without_ending(names: Sequence[str]) -> list[str]:
    """Leave out what all names end in, from a sign on that is no letter and no digit."""
    ending = ""
    if len(set(names)) > 1:
        same = takewhile(
            lambda signs: len(set(signs)) == 1, zip(*(name[::-1] for name in names), strict=False)
        )
        ending = "".join(signs[0] for signs in same)[::-1].lstrip(ascii_letters + digits)
    return [name.removesuffix(ending) for name in names]


def few(names: Sequence[str]) -> str:
    """Spell out the first names for a message, and count the others."""
    shown = ", ".join(names[:SPELLED_OUT])
    return f"{shown} and {len(names) - SPELLED_OUT} more" if len(names) > SPELLED_OUT else shown
