"""The contract of a published rule: positions in, the numbers out that its program would have printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedScore:
    """What a published rule says.

    Attributes
    ----------
    name : str
        The preset's name: "czii".
    title : str
        Program and function, for a reader.
    tp, fp, fn : float or None
        As that program counts them, which may be negative; None where it does not count.
    precision, recall, f1 : float or None
        As that program computes them, which may exceed 1; None where it gives none.
    defect : str
        What is wrong with the rule, in a sentence; "" where nothing is.
    """

    name: str
    title: str
    tp: float | None
    fp: float | None
    fn: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    defect: str
