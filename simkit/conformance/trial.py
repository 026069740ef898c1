"""What a trial is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from simkit.conformance.bench import Bench, PickerFailedError, Seen

Sort = Literal["law", "task", "measure"]


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes
    ----------
    holds : bool or None
        Whether it was passed; None where it does not apply, and of what is only measured.
    value : float or None
        The number measured; None where there is none.
    words : str
        What happened, for a person.
    exhibits : sequence of Seen
        Micrographs that show it.
    """

    holds: bool | None
    value: float | None
    words: str
    exhibits: Sequence[Seen] = ()


@dataclass(frozen=True)
class Trial:
    """One question to a picker.

    Attributes
    ----------
    name : str
        A few words.
    sort : str
        law: what any picker ought to obey, however few particles it finds; task: what a good one can do;
        measure: a number without a verdict.
    asks : str
        The question, in a sentence.
    judged : str
        How, with the tolerance and its reason.
    unit : str
        Of the number.
    run : callable
        Puts the question.
    """

    name: str
    sort: Sort
    asks: str
    judged: str
    unit: str
    run: Callable[[Bench], Outcome]


@dataclass(frozen=True)
class Verdict:
    """A trial and what came of it.

    Attributes
    ----------
    trial : Trial
        The trial.
    outcome : Outcome
        What came of it.
    crashed : bool
        Whether the picker broke down.
    """

    trial: Trial
    outcome: Outcome
    crashed: bool = False

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.crashed:
            return "crashed"
        if self.outcome.holds is None:
            measured = self.trial.sort == "measure" and self.outcome.value is not None
            return "measured" if measured else "does not apply"
        words = {
            "law": ("holds", "does not hold"),
            "task": ("passed", "failed"),
            "measure": ("passed", "failed"),
        }
        return words[self.trial.sort][not self.outcome.holds]


def take(trial: Trial, bench: Bench) -> Verdict:
    """Put one question; a picker that breaks down fails this trial and no other."""
    try:
        return Verdict(trial, trial.run(bench))
    except PickerFailedError as error:
        return Verdict(trial, Outcome(False, None, f"it broke down: {error}"), crashed=True)
