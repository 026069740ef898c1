"""Measures: how near a picker comes to what physics allows, and what it costs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import xlogy

from simkit.conformance.bench import Bench, Seen
from simkit.conformance.scene import DOSE, PARTICLE, SEED, Exposure, expose, field, scenario, sites
from simkit.conformance.trial import Outcome, Trial
from simkit.core.grid import FloatArray
from simkit.engine.ceiling import ceiling_of
from simkit.theory.observer import recall_above

LADDER = (3.5, 4.25, 5.0, 5.75, 6.5, 8.0, 10.0, 13.0)
"""d′ of the ideal observer at the doses of the ladder."""

QUICK = (4.25, 5.75, 8.0)

MICROGRAPHS = 3
"""At each dose."""

FALSE = 2
"""False picks a micrograph at which recall is compared."""

DIMS = 3
"""What is searched: y, x and the angle."""

NEEDS = np.geomspace(0.5, 4.0, 700)
"""How many times the ideal observer's d′ a picker may turn out to need."""

LARGE = (512, 512)
"""Pixels of the micrograph that is timed."""

MEBIBYTE = 2**20

MADE_BEFORE = "its lists were made before"

MOST_SECONDS = 60.0
"""Seconds that a micrograph of 512² may take."""


@dataclass(frozen=True)
class Ideal:
    """The ideal observer in the kit's micrographs.

    Attributes
    ----------
    d_prime : float
        At the usual dose; it goes with the dose's root.
    level : float
        At which noise gives half a pick more than `FALSE` a micrograph, in standard deviations.
    """

    d_prime: float
    level: float

    def recall(self, d_prime: FloatArray) -> FloatArray:
        """Return the share of particles of some d′ above the level."""
        return recall_above(self.level, d_prime, dims=DIMS)


@functools.cache
def ideal() -> Ideal:
    """Return the ideal observer; its level hardly depends on the dose."""
    ceiling = ceiling_of(scenario({PARTICLE: sites(5, 5, "field", 0)}))
    if ceiling is None or ceiling.curve is None:
        raise RuntimeError("the kit's own micrograph has a ceiling")
    false, level = ceiling.curve.false_per_image, ceiling.curve.level
    # Cut midway between two false picks there are FALSE of them, and half a one more is expected.
    return Ideal(ceiling.species[PARTICLE].d_prime, float(np.interp(-(FALSE + 0.5), -false, level)))


def at(d_prime: float, number: int) -> Exposure:
    """Return a micrograph whose particles the ideal observer sees at a d′."""
    return field(round(1000 * d_prime) + number, DOSE * (d_prime / ideal().d_prime) ** 2)


def found_at_equal_false(seen: Seen) -> int | None:
    """Return the particles found where the list is cut midway between `FALSE` false picks and one more.

    Of a list with fewer false picks all counts: it is then judged more strictly. None if it has more and no
    scores to cut it by.
    """
    listed = seen.picks if seen.found.candidates is None else seen.found.candidates
    whole = Seen(seen.exposure, replace(seen.found, picks=listed))
    hit = np.isin(np.arange(len(listed)), whole.match.pick)
    false = np.sort(listed["score"][~hit])[::-1]
    if len(false) <= FALSE:
        return int(hit.sum())
    if not np.isfinite(listed["score"]).all():
        return None
    cut = (false[FALSE - 1] + false[FALSE]) / 2
    return int((listed["score"][hit] > cut).sum())


def needed(d_prime: FloatArray, found: FloatArray, particles: FloatArray) -> tuple[float, float] | None:
    """Return how many times the ideal observer's d′ is needed for its recall, and the standard error.

    The recalls at several d′ are taken for those of the ideal observer at d′ ÷ r; r is the likeliest. Its
    error is that of a likelihood's curvature, read where the logarithm has fallen by ½.

    Parameters
    ----------
    d_prime, found, particles : array, shape (n,)
        Of each dose: d′, particles found, particles there were.

    Returns
    -------
    tuple or None
        None if the likeliest is at the end of what is tried: it hardly finds anything.
    """
    recall = np.clip(ideal().recall(d_prime / NEEDS[:, None]), 1e-6, 1 - 1e-6)
    likelihood = (xlogy(found, recall) + xlogy(particles - found, 1 - recall)).sum(axis=1)
    best = int(np.argmax(likelihood))
    if best == len(NEEDS) - 1:
        return None
    within = NEEDS[likelihood >= likelihood[best] - 0.5]
    return float(NEEDS[best]), float(np.ptp(within) / 2)


def _efficiency(bench: Bench) -> Outcome:
    ladder = QUICK if bench.quick else LADDER
    many = 1 if bench.quick else MICROGRAPHS
    seen = bench.look([at(d, n) for d in ladder for n in range(many)])
    counts = [found_at_equal_false(one) for one in seen]
    if any(count is None for count in counts):
        return Outcome(None, None, "its lists have no scores, and more false picks than they are compared at")
    particles = np.array([len(one.exposure.truth) for one in seen], float)
    found = np.array(counts, float).reshape(len(ladder), many).sum(axis=1)
    told = needed(np.array(ladder), found, particles.reshape(len(ladder), many).sum(axis=1))
    if told is None:
        words = f"hardly anything is found up to d′ {ladder[-1]:g}"
        return Outcome(False, None, words, seen[-1:])
    words = f"it needs {told[0]:.2f} ± {told[1]:.2f} times the ideal observer's d′ for the same recall"
    return Outcome(None, told[0], f"{words}, at {FALSE} false picks a micrograph")


def _place(bench: Bench) -> Outcome:
    (seen,) = bench.look([field()])
    truth = seen.exposure.truth.take(seen.match.truth)
    if not len(truth):
        return Outcome(False, None, "no particle is found", [seen])
    off = np.sqrt(np.mean(seen.match.distance**2))
    limit = np.sqrt(np.mean(truth["sigma_y"] ** 2 + truth["sigma_x"] ** 2))
    return Outcome(None, float(off / limit), f"{off:.2f} Å off, where {limit:.2f} Å is the Cramér–Rao limit")


@functools.cache
def _large() -> Exposure:
    poses = sites(9, 9, "large", shape=LARGE)
    return expose("large", scenario({PARTICLE: poses}, seed=SEED + 900, shape=LARGE))


def _time(bench: Bench) -> Outcome:
    if not bench.subject.asked:
        return Outcome(None, None, MADE_BEFORE)
    cost = bench.cost(_large())
    holds = None if cost.seconds <= MOST_SECONDS else False
    return Outcome(holds, cost.seconds, f"{cost.seconds:.2g} s, {cost.processor:.2g} s of processors")


def _memory(bench: Bench) -> Outcome:
    if not bench.subject.asked:
        return Outcome(None, None, MADE_BEFORE)
    memory = bench.cost(_large()).memory
    if memory is None:
        return Outcome(None, None, "this system does not tell")
    return Outcome(None, memory / MEBIBYTE, f"{memory / MEBIBYTE:.0f} MiB at the peak")


MEASURES = (
    Trial(
        "low dose",
        "measure",
        "How much more does it need to see than the ideal observer, for half of the particles?",
        f"Recall at {FALSE} false picks a micrograph, at d′ {LADDER[0]:g} to {LADDER[-1]:g}; the ratio of d′ "
        "that makes the ideal observer's curve the likeliest. It looks at all angles and pays for that in "
        "false picks: a picker of blobs, which looks at none, may need less.",
        "× ideal d′",
        _efficiency,
    ),
    Trial(
        "localisation",
        "measure",
        "How far off are clear particles?",
        "Root mean square over 25 particles ÷ the Cramér–Rao limit, amplitude, background and angle unknown.",
        "× limit",
        _place,
    ),
    Trial(
        "time",
        "measure",
        "How long does a micrograph of 512 × 512 pixels with 81 particles take?",
        f"By the clock, starting included; fails beyond {MOST_SECONDS:g} s.",
        "s",
        _time,
    ),
    Trial(
        "memory",
        "measure",
        "How much does it hold while it looks at that micrograph?",
        "At the peak: of a program all of it, of what runs within simkit what is held besides.",
        "MiB",
        _memory,
    ),
)
"""In the order of the card."""
