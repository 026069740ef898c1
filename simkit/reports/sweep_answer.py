"""What a sweep says, in sentences: which method is better, where, by how much, how surely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from simkit.judging.comparison import PairedComparison
from simkit.reports.sweep_standing import Standing
from simkit.reports.sweep_table import Scores
from simkit.reports.wording import conjoined, number, plural, sure
from simkit.sweeps.duels import EQUAL, OWN, Duel, pooled

MOST_PAIRS = 6
"""Pairs of methods that are put in words; the table of comparisons has all."""

MOST_PICKERS = 4
"""Pickers whose course is told where nothing is compared."""

MOST_PLACES = 6
"""Places of the other axes, for each of which the best value of an axis of the search is told."""


@dataclass(frozen=True)
class Answer:
    """A sentence; the main ones are those to read first."""

    text: str
    main: bool = True


def pairs(duels: Sequence[Duel]) -> list[tuple[str, str]]:
    """Return every two methods that were compared, in order."""
    return list(dict.fromkeys((duel.a, duel.b) for duel in duels))


def of(duels: Sequence[Duel], pair: tuple[str, str], basis: str, metric: str) -> list[Duel]:
    """Return the duels of two methods on one basis and metric that have a difference."""
    return [
        duel
        for duel in duels
        if (duel.a, duel.b) == pair
        and (duel.basis, duel.metric) == (basis, metric)
        and duel.difference is not None
    ]


def answers(
    scores: Scores, duels: Sequence[Duel], levels: Sequence[Duel], standings: Mapping[int, Standing]
) -> list[Answer]:
    """Say what the sweep has found.

    Parameters
    ----------
    scores : Scores
        Of the sweep.
    duels, levels : sequence of Duel
        Of pickers within cells, and of cells that differ in axes of the search.
    standings : mapping
        Cell → which picker is best in it.
    """
    if not scores.by_cell:
        return [Answer("No cell has scores.")]
    said = _ranking(scores, standings)
    ranked = bool(said)
    said += [
        text for pair in pairs(duels)[:MOST_PAIRS] for text in _pair(scores, duels, pair, main=not ranked)
    ]
    said += [Answer(text) for text in _levels(scores, levels)]
    return said or [Answer(_course(scores, picker)) for picker in scores.pickers[:MOST_PICKERS]]


def _ranking(scores: Scores, standings: Mapping[int, Standing]) -> list[Answer]:
    """Say of three pickers and more how often each is best."""
    if len(scores.fair) < 3 or not standings:
        return []
    best = Counter(standing.best for standing in standings.values())
    sure_of = Counter(standing.best for standing in standings.values() if standing.sure)
    told = [f"{name} in {n} (surely in {sure_of[name]})" for name, n in best.most_common()]
    told += [f"{name} in none" for name in scores.fair if name not in best]
    return [Answer(f"Highest F1 of {plural(len(standings), 'cell')}: {conjoined(told)}.")]


def _pair(scores: Scores, duels: Sequence[Duel], pair: tuple[str, str], *, main: bool) -> list[Answer]:
    own, equal = of(duels, pair, OWN, "f1"), of(duels, pair, EQUAL, "recall")
    said = []
    if own:
        whole = next(iter(pooled(scores.result, *pair)), None)
        said.append(Answer(f"{_verdict(scores, own, 'beats', 'in F1')}{_together(whole, own)}", main))
    if equal:
        told = _verdict(scores, equal, "finds more than", "")
        said.append(Answer(f"At equal false picks, whatever the thresholds: {told}", main=False))
    return said


def _verdict(scores: Scores, duels: Sequence[Duel], beats: str, in_what: str) -> str:
    """Say where which of two methods is better; the one that is so more often comes first."""
    a, b = duels[0].a, duels[0].b
    wins = {name: [duel for duel in duels if duel.winner == name] for name in (a, b)}
    first, second = (a, b) if len(wins[a]) >= len(wins[b]) else (b, a)
    cells = plural(len(duels), "cell")
    if not wins[first]:
        return _undecided(scores, duels, in_what)
    in_what = f" {in_what}" if in_what else ""
    held = sum(duel.holds for duel in wins[first])
    text = f"{first} {beats} {second}{in_what} in {len(wins[first])} of {cells}"
    text += f" ({held} after Holm’s correction for {len(duels)} tests)" if len(duels) > 1 else ""
    text += f", {_most(scores, wins[first])}; "
    if not wins[second]:
        return f"{text}{second} is never surely better."
    return f"{text}{second} is better in {len(wins[second])}, {_most(scores, wins[second])}."


def _undecided(scores: Scores, duels: Sequence[Duel], in_what: str) -> str:
    a, b = duels[0].a, duels[0].b
    what = f" {in_what}" if in_what else ""
    if all(duel.low is None for duel in duels):
        ahead = sum((duel.difference or 0.0) > 0 for duel in duels)
        behind = sum((duel.difference or 0.0) < 0 for duel in duels)
        return (
            f"{a} is ahead of {b}{what} in {ahead} of {plural(len(duels), 'cell')} and behind in {behind}; "
            "no cell has an interval that says how surely (six micrographs of unlike outcome give one)."
        )
    return f"{a} and {b} are nowhere told apart{what} ({plural(len(duels), 'cell')})."


def _most(scores: Scores, wins: Sequence[Duel]) -> str:
    duel = max(wins, key=lambda one: abs(one.difference or 0.0))
    where = f"most at {scores.place(duel.place)}" if len(wins) > 1 else f"at {scores.place(duel.place)}"
    if not duel.place:
        where = "by"
    return f"{where}: {_advantage(duel.difference, duel.low, duel.high)}"


def _advantage(difference: float | None, low: float | None, high: float | None) -> str:
    """Write a difference as an advantage, whichever of the two has it."""
    if difference is None:
        return "–"
    sign = 1.0 if difference >= 0 else -1.0
    ends = (
        None if low is None or high is None else (min(sign * low, sign * high), max(sign * low, sign * high))
    )
    return f"+{sure(abs(difference), ends) if ends else number(abs(difference), digits=2)}"


def _together(whole: PairedComparison | None, duels: Sequence[Duel]) -> str:
    if whole is None or whole.difference is None or len(duels) < 2:
        return ""
    leader = whole.a if whole.difference >= 0 else whole.b
    low, high = whole.interval or (None, None)
    return f" All cells together: {leader} {_advantage(whole.difference, low, high)}."


def _levels(scores: Scores, duels: Sequence[Duel]) -> list[str]:
    """Say which value of an axis of the search is best, in every place of the other axes."""
    own = [duel for duel in duels if duel.metric == "f1" and duel.difference is not None]
    return [_best_level(scores, group) for group in by_place(own)[:MOST_PLACES]]


def by_place(duels: Sequence[Duel]) -> list[list[Duel]]:
    """Return duels in groups of one place and picker."""
    groups: dict[Hashable, list[Duel]] = {}
    for duel in duels:
        groups.setdefault((tuple(duel.place.items()), duel.picker), []).append(duel)
    return list(groups.values())


def _best_level(scores: Scores, duels: Sequence[Duel]) -> str:
    best = best_of(duels)
    against = [duel for duel in duels if best in (duel.a, duel.b)]
    beaten = [duel.b if duel.a == best else duel.a for duel in against if duel.winner == best]
    near = [name for duel in against for name in (duel.a, duel.b) if name != best and name not in beaten]
    where = f"at {scores.place(duels[0].place)} " if duels[0].place else ""
    text = f"{duels[0].picker}: {where}{best} has the highest F1, surely above {len(beaten)} of "
    text += f"{len(against)} others"
    if near:
        return f"{text}; not told apart from {conjoined(near)}."
    next_best = min(against, key=lambda duel: abs(duel.difference or 0.0))
    rival = next_best.b if next_best.a == best else next_best.a
    return f"{text}, least above {rival}: {_advantage(next_best.difference, next_best.low, next_best.high)}."


def best_of(duels: Sequence[Duel]) -> str:
    """Return the method that no other is ahead of."""
    names = dict.fromkeys(name for duel in duels for name in (duel.a, duel.b))
    ahead = dict.fromkeys(names, 0.0)
    for duel in duels:
        ahead[duel.a] += duel.difference or 0.0
        ahead[duel.b] -= duel.difference or 0.0
    return max(ahead, key=lambda name: ahead[name])


def _course(scores: Scores, picker: str) -> str:
    """Say how a picker fares over the cells, where nothing is compared."""
    values = [
        (v, cell) for cell in scores.cells if (v := scores.value(cell["cell"], picker, "f1")) is not None
    ]
    if not values:
        return f"{picker}: no F1 in any cell."
    ends = [min(values, key=lambda pair: pair[0]), max(values, key=lambda pair: pair[0])]
    told = [f"{number(value, digits=3)} at {scores.place(cell)}" for value, cell in ends]
    oracle = " (oracle)" if scores.oracle(picker) else ""
    return f"{picker}{oracle}: F1 from {told[0]} to {told[1]}."


def few_micrographs(scores: Scores, duels: Sequence[Duel]) -> str:
    """Say that there are too few micrographs for any difference to survive the correction, where so."""
    own = [duel for duel in duels if (duel.basis, duel.metric) == (OWN, "f1") and duel.p is not None]
    if len(own) < 2 or not any(duel.winner for duel in own) or any(duel.holds for duel in own):
        return ""
    fewest = min(duel.clusters for duel in own)
    if 2.0 ** (1 - fewest) * len(own) <= 0.05:
        return ""
    return (
        f"With {fewest} micrographs or tiles a cell no test can be surer than p = "
        f"{number(2.0 ** (1 - fewest), digits=2)}, and none of {len(own)} can survive the correction for "
        "their number; with more replicates they can."
    )
