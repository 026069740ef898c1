"""Tasks: what a good picker can do, each in a micrograph that has but one difficulty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.conformance.bench import ALARM, Bench, Seen, allowance, matched, positions, promised
from simkit.conformance.difficulties import (
    bordered,
    bright_blobs,
    carbon_edge,
    crystal,
    dead_pixels,
    every_angle,
    inverted,
    missing_pixels,
    one_particle,
    pairs,
    rods,
    slope,
    two_species,
)
from simkit.conformance.scene import PIXEL_SIZE, STEP, Exposure, empty
from simkit.conformance.trial import Outcome, Trial
from simkit.core.quantity import wrap_angle
from simkit.statistics.counts import poisson_quantile

FOUND = 0.9
"""Share of clear particles that must be found."""

SEPARATIONS = (0.6, 0.8, 1.0, 1.2)
"""Of the pairs of a crowd, in diameters."""

EMPTIES, FEW_EMPTIES = 12, 4


def _without_false(seen: Sequence[Seen], *, value: float | None, words: str, also: bool = True) -> Outcome:
    """Return an outcome that also needs no more false picks than are excused, and most particles found."""
    particles = sum(len(one.exposure.truth) for one in seen)
    missed, false, most = sum(one.missed for one in seen), sum(one.false for one in seen), allowance(seen)
    holds = also and false <= most and missed <= (1 - FOUND) * particles
    told = [words] if words else []
    told += [f"{particles - missed} of {particles} found"] if particles else []
    told += [f"{false} false ({most} excused)"]
    return Outcome(holds, value, "; ".join(told), [] if holds else seen)


def _recall(seen: Sequence[Seen]) -> float:
    return 1 - sum(one.missed for one in seen) / sum(len(one.exposure.truth) for one in seen)


def _empties(bench: Bench) -> list[Seen]:
    return bench.look([empty(n) for n in range(FEW_EMPTIES if bench.quick else EMPTIES)])


def _empty(bench: Bench) -> Outcome:
    seen = _empties(bench)
    return _without_false(seen, value=sum(one.false for one in seen) / len(seen), words="")


def _promise(bench: Bench) -> Outcome:
    seen = _empties(bench)
    expected, made = promised(seen), sum(one.false for one in seen)
    if expected is None:
        return Outcome(None, None, f"it promises nothing; {made} in {len(seen)} empty micrographs")
    low, high = poisson_quantile([ALARM / 2, 1 - ALARM / 2], expected)
    holds = bool(low <= made <= high)
    words = (
        f"{made} in {len(seen)} empty micrographs, {expected:.3g} promised ({low:.0f} to {high:.0f} agree)"
    )
    return Outcome(holds, made / expected if expected else None, words, [] if holds else seen)


def _one(bench: Bench) -> Outcome:
    seen = bench.look([one_particle(n) for n in range(3)])
    off = np.concatenate([one.match.distance for one in seen]) / PIXEL_SIZE
    return _without_false(seen, value=float(off.mean()) if len(off) else None, words="")


def _angles(bench: Bench) -> Outcome:
    seen = bench.look([every_angle()])
    error = np.abs(wrap_angle(seen[0].places[:, 2] - seen[0].exposure.truth["psi"]))
    error = error[np.isfinite(error)]
    if not len(error) or not seen[0].gives_angles:
        return _without_false(seen, value=None, words="it gives no angles")
    within = float(np.mean(error <= STEP))
    words = f"{within:.0%} of the angles within {STEP:g}°, median {np.median(error):.2g}°"
    return _without_false(seen, value=float(np.median(error)), words=words, also=within >= FOUND)


def _contrast(bench: Bench) -> Outcome:
    seen = bench.look([inverted()])
    (one,) = seen
    taken = len(matched(one.exposure.lures, one.picks).pick)
    flagged = any("inverted" in flags.split() for flags in one.picks["flags"].tolist())
    said = (
        "opposite_contrast" in one.found.notes or flagged or any("contrast" in n for n in one.found.notices)
    )
    words = f"{taken} of {len(one.exposure.lures)} bright particles picked"
    words += ", and it says that their contrast is opposite" if said else ""
    holds = said or len(one.picks) <= allowance(seen)
    words += f"; {len(one.picks)} picks ({allowance(seen)} excused)"
    return Outcome(holds, float(len(one.picks)), words, [] if holds else seen)


def _borders(bench: Bench) -> Outcome:
    seen = bench.look([bordered()])
    (one,) = seen
    index = positions(one.picks) / PIXEL_SIZE
    outside = int(((index < -0.5) | (index > np.array(one.exposure.pixels.shape) - 0.5)).any(axis=1).sum())
    found = np.isfinite(one.places[:, 0])
    cut, most = one.exposure.truth["edge"], allowance(seen)
    whole_missed = int((~found & ~cut).sum())
    share = float(found[cut].mean())
    holds = not outside and not whole_missed and one.false <= most
    words = f"{outside} picks beyond the image; {share:.0%} of {cut.sum()} cut particles found"
    words += f", {whole_missed} whole ones missed; {one.false} false ({most} excused)"
    return Outcome(holds, share, words, [] if holds else seen)


def _crowd(bench: Bench) -> Outcome:
    seen = bench.look([pairs(separation) for separation in SEPARATIONS])
    shares = [_recall([one]) for one in seen]
    apart = [d for d, share in zip(SEPARATIONS, shares, strict=True) if share >= FOUND]
    false, most = seen[-1].false, allowance(seen[-1:])
    holds = shares[-1] >= FOUND and false <= most
    told = ", ".join(f"{share:.0%} at {d:g}" for d, share in zip(SEPARATIONS, shares, strict=True))
    words = f"found, by diameters between two: {told}; there {false} false ({most} excused)"
    return Outcome(holds, min(apart) if apart else None, words, [] if holds else seen)


def _decoys(bench: Bench, exposure: Exposure) -> Outcome:
    seen = bench.look([exposure])
    return _without_false(seen, value=float(seen[0].false), words="")


def _bad_pixels(bench: Bench, exposure: Exposure) -> Outcome:
    seen = bench.look([exposure])
    (one,) = seen
    # A particle that a hole has a part of may be found or not.
    half = len(matched(one.exposure.lures, one.picks).pick)
    false, most = max(one.false - half, 0), allowance(seen)
    holds = one.missed <= (1 - FOUND) * len(one.exposure.truth) and false <= most
    words = (
        f"{one.missed} of {len(one.exposure.truth)} whole particles missed; {false} false ({most} excused)"
    )
    return Outcome(holds, _recall(seen), words, [] if holds else seen)


def _species(bench: Bench) -> Outcome:
    seen = bench.look([two_species()])
    (one,) = seen
    if len(one.picks) and not any(one.picks["class"]):
        return Outcome(None, None, "it gives no classes")
    same = one.picks["class"][one.match.pick] == one.exposure.truth["class"][one.match.truth]
    right = float(same.mean()) if len(same) else 0.0
    words = f"{right:.0%} of the found have the right class"
    return _without_false(seen, value=right, words=words, also=right >= FOUND)


def _crystal(bench: Bench) -> Outcome:
    seen = bench.look([crystal()])
    return _without_false(seen, value=_recall(seen), words="")


NO_MORE = (
    f"no more false picks than its promise excuses (1 in {round(1 / ALARM)}), without one 1 a micrograph"
)
MOST = f"{FOUND:.0%} of clear particles found (d′ 22: the ideal observer finds all), {NO_MORE}"

TASKS = (
    Trial(
        "empty micrographs",
        "task",
        "Is nothing picked where nothing is?",
        f"{NO_MORE}.",
        "false a micrograph",
        _empty,
    ),
    Trial(
        "promise",
        "task",
        "Are there as many false picks in empty micrographs as it says there will be?",
        f"Poisson's law, both sides, false alarm {ALARM:g}; null where nothing is promised.",
        "× promise",
        _promise,
    ),
    Trial("one particle", "task", "Is a lone particle found?", f"{MOST}.", "px, mean", _one),
    Trial(
        "every rotation",
        "task",
        "Are particles found at every angle, and their angles?",
        f"{MOST}; {FOUND:.0%} of the angles within a step of the templates, {STEP:g}°, where it gives any.",
        "°, median",
        _angles,
    ),
    Trial(
        "inverted contrast",
        "task",
        "Is nothing picked where all particles are bright instead of dark, or is it said?",
        f"{NO_MORE}; or a note, a notice or a flag says so.",
        "picks",
        _contrast,
    ),
    Trial(
        "borders",
        "task",
        "Do particles cut by the border do no harm?",
        f"No pick beyond the image, no whole particle missed, {NO_MORE}. Cut ones need not be found.",
        "of cut found",
        _borders,
    ),
    Trial(
        "crowding",
        "task",
        "Are particles that touch told apart?",
        f"{FOUND:.0%} of pairs 1.2 diameters apart found, {NO_MORE}; closer ones are measured.",
        "diameters",
        _crowd,
    ),
    Trial(
        "decoys: bright blobs",
        "task",
        "Are bright blobs left alone?",
        f"{MOST}.",
        "false",
        lambda bench: _decoys(bench, bright_blobs()),
    ),
    Trial(
        "decoys: rods",
        "task",
        "Are rods of the same contrast left alone?",
        f"{MOST}.",
        "false",
        lambda bench: _decoys(bench, rods()),
    ),
    Trial(
        "decoys: carbon edge",
        "task",
        "Is the edge of a carbon film left alone?",
        f"{MOST}.",
        "false",
        lambda bench: _decoys(bench, carbon_edge()),
    ),
    Trial(
        "gradient",
        "task",
        "Does it do no harm that the ice thickens by five times the particles' contrast?",
        f"{MOST}.",
        "false",
        lambda bench: _decoys(bench, slope()),
    ),
    Trial(
        "missing pixels",
        "task",
        "Does it bear pixels that are not numbers?",
        f"{MOST}; what a hole cuts may be found or not.",
        "recall",
        lambda bench: _bad_pixels(bench, missing_pixels()),
    ),
    Trial(
        "dead pixels",
        "task",
        "Does it bear dead columns and a dead block, all zero?",
        f"{MOST}; what a hole cuts may be found or not.",
        "recall",
        lambda bench: _bad_pixels(bench, dead_pixels()),
    ),
    Trial(
        "two species",
        "task",
        "Are particles and rings told apart?",
        f"{MOST}; {FOUND:.0%} of the classes right, where it gives any.",
        "right",
        _species,
    ),
    Trial("crystal", "task", "Is every site of a crystal found?", f"{MOST}.", "recall", _crystal),
)
"""In the order of the card."""
