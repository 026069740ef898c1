"""What is sent to a worker, and what comes back: text and numbers, a few kB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from simkit.core.quantity import UNITS_REQUIRED
from simkit.scenario.spec import Scenario


@dataclass(frozen=True)
class Errand:
    """Some micrographs of cells that share them, to be searched, or one cell to be judged.

    Attributes
    ----------
    texts : tuple of str
        The cells' scenarios, see `text_of`.
    numbers : tuple of int
        Which micrographs.
    store : str
        Folder of the results, on a disk that all workers share.
    images : bool
        Whether pixels of simulated micrographs are kept.
    again : tuple of str
        Pickers whose earlier results do not count.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    store: str
    images: bool = True
    again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why something is not there.

    Attributes
    ----------
    key : str
        Under which it is recorded: that of the picks, micrograph or scores that there are none of.
    what : str
        In words: "picker ncc, micrograph 3".
    kind : str
        Name of the error's type.
    message : str
        What a person should know.
    trace : str
        The traceback of what is not meant for users; else empty.
    """

    key: str
    what: str
    kind: str
    message: str
    trace: str = ""


@dataclass(frozen=True)
class Done:
    """What came of an errand.

    Attributes
    ----------
    failures : tuple of Failure
        What could not be done.
    seconds : mapping
        Stage → seconds of work; what was there already took none.
    micrographs : int
        How many were worked on.
    """

    failures: tuple[Failure, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    micrographs: int = 0


def text_of(scenario: Scenario) -> str:
    """Return a scenario as text that travels: JSON in canonical units, its files absolute."""
    return scenario.model_dump_json(by_alias=True, exclude_none=True)


def scenario_of(text: str) -> Scenario:
    """Return the scenario of a text."""
    return Scenario.model_validate(json.loads(text), context=UNITS_REQUIRED)
