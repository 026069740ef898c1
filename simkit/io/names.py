"""Which micrograph a coordinate file, or a name written in one, is about.

Programs name a micrograph's coordinates after it and add something of their own: of
``mic_10.mrc``, ``mic_10_autopick.star``, ``mic_10.box``, ``info/mic_10_info.json``; and cryoSPARC
puts a number before it, ``008578565574161745010_mic_10.mrc``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import PurePath
from string import ascii_letters, digits

_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")
_UID = re.compile(r"^\d+_(?=.)")


@functools.lru_cache(maxsize=1 << 17)
def stem(micrograph: str) -> str:
    """Return a micrograph's name without folders and suffix; ``.02`` of a time of day is no suffix."""
    name = PurePath(micrograph)
    if name.suffix.lower() in _COMPRESSED:
        name = PurePath(name.stem)
    return name.stem if _SUFFIX.fullmatch(name.suffix) else name.name


def micrograph_of(file_or_name: str | PurePath, micrographs: Sequence[str]) -> str | None:
    """Return the micrograph to which a coordinate file or a micrograph's name belongs.

    It is the one whose stem the name begins with, the longest such; what follows the stem must not be a
    letter or digit, so that ``mic_10_autopick.star`` is not about ``mic_1.mrc``. Folders do not
    matter. Where nothing fits, the number that cryoSPARC puts before names is left out, of the name or of
    the micrographs.

    Parameters
    ----------
    file_or_name : str or PurePath
        ``AutoPick/job007/mic_10_autopick.star``, or what a row of a table calls its micrograph.
    micrographs : sequence of str
        Names or paths of the micrographs there are.

    Returns
    -------
    str or None
        An item of `micrographs`; None where none fits, or several fit equally well.
    """
    if str(file_or_name) in micrographs:
        return str(file_or_name)
    name = PurePath(file_or_name).name
    for start, stem_of in ((name, stem), (_UID.sub("", name), stem), (name, _stem_without_uid)):
        if best := _longest(start, micrographs, stem_of):
            return best[0] if len(best) == 1 else None
    return None


@functools.lru_cache(maxsize=1 << 17)
def _stem_without_uid(micrograph: str) -> str:
    return _UID.sub("", stem(micrograph))


def _longest(name: str, micrographs: Sequence[str], stem_of: Callable[[str], str]) -> list[str]:
    fitting = {micrograph: stem_of(micrograph) for micrograph in micrographs}
    fitting = {micrograph: start for micrograph, start in fitting.items() if _begins(name, start)}
    longest = max(map(len, fitting.values()), default=0)
    return [micrograph for micrograph, start in fitting.items() if len(start) == longest]


def _begins(name: str, start: str) -> bool:
    return bool(start) and name.startswith(start) and not name[len(start) : len(start) + 1].isalnum()


def same_micrographs(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Return what two sets of coordinates call the same micrograph: name → other name.

    One name belongs to the other, by `micrograph_of`; or, where none does, both do once what all names of a
    set end in is left out, as of ``mic_1.crYOLO.box, mic_2.crYOLO.box`` and ``mic_1.expert.csv, …``.
    """
    backwards = {name: other for other in others if (name := micrograph_of(other, names))}
    direct = {name: other for name in names if (other := micrograph_of(name, others) or backwards.get(name))}
    if direct:
        return direct
    bare = dict(zip(_without_ending(others), others, strict=True))
    pairs = zip(names, _without_ending(names), strict=True)
    return {name: bare[known] for name, short in pairs if (known := micrograph_of(short, list(bare)))}


def _without_ending(names: Sequence[str]) -> list[str]:
    """Leave out what all names end in, from a sign on that is no letter and no digit."""
    ending = ""
    if len(set(names)) > 1:
        same = takewhile(
            lambda signs: len(set(signs)) == 1, zip(*(name[::-1] for name in names), strict=False)
        )
        ending = "".join(signs[0] for signs in same)[::-1].lstrip(ascii_letters + digits)
    return [name.removesuffix(ending) for name in names]
