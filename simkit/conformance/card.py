"""All trials together: the card of a picker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from simkit.conformance.bench import Bench, Subject
from simkit.conformance.laws import LAWS
from simkit.conformance.measures import MEASURES
from simkit.conformance.tasks import TASKS
from simkit.conformance.trial import Sort, Trial, Verdict, take

TRIALS: tuple[Trial, ...] = (*LAWS, *TASKS, *MEASURES)
"""In the order of the card."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Card:
    """What came of all trials of one picker.

    Attributes
    ----------
    picker : str
        Its name.
    cut : str
        How its picks were cut.
    quick : bool
        Whether fewer micrographs had to do.
    verdicts : sequence of Verdict
        In the order of the trials.
    """

    picker: str
    cut: str
    quick: bool
    verdicts: Sequence[Verdict]

    def of(self, sort: Sort) -> list[Verdict]:
        """Return the verdicts of one sort of trials."""
        return [verdict for verdict in self.verdicts if verdict.trial.sort == sort]

    def count(self, sort: Sort) -> tuple[int, int]:
        """Return how many trials of a sort were passed, and how many apply."""
        held = [verdict.outcome.holds for verdict in self.of(sort) if verdict.outcome.holds is not None]
        return sum(held), len(held)

    def __getitem__(self, trial: str) -> Verdict:
        return next(verdict for verdict in self.verdicts if verdict.trial.name == trial)

    @property
    def lawful(self) -> bool:
        """Whether every law holds and it broke down nowhere."""
        held, of = self.count("law")
        return held == of and not any(verdict.crashed for verdict in self.verdicts)

    def plain(self) -> dict[str, Any]:
        """Return everything but the pictures, as JSON has it."""
        return {
            "picker": self.picker,
            "threshold": self.cut,
            "quick": self.quick,
            "laws": dict(zip(("hold", "of"), self.count("law"), strict=True)),
            "tasks": dict(zip(("passed", "of"), self.count("task"), strict=True)),
            "trials": [
                {
                    "name": verdict.trial.name,
                    "sort": verdict.trial.sort,
                    "verdict": verdict.word,
                    "value": verdict.outcome.value,
                    "unit": verdict.trial.unit,
                    "words": verdict.outcome.words,
                    "asks": verdict.trial.asks,
                    "judged": verdict.trial.judged,
                }
                for verdict in self.verdicts
            ],
        }


def examine(subject: Subject, *, quick: bool = False, progress: Progress | None = None) -> Card:
    """Put all trials to a picker.

    Parameters
    ----------
    subject : Subject
        The picker.
    quick : bool
        Whether fewer micrographs are to do.
    progress : callable, optional
        Called as ``progress(name, done, total)``.
    """
    bench = Bench(subject, quick)
    verdicts = []
    for number, trial in enumerate(TRIALS):
        if progress is not None:
            progress(subject.name, number, len(TRIALS))
        verdicts.append(take(trial, bench))
    return Card(subject.name, subject.cut, quick, tuple(verdicts))
