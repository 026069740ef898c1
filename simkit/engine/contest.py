"""Pickers against each other on the same micrographs: at their own thresholds and at equal false picks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simkit.core.grid import FloatArray
from simkit.engine.court import Court, Indices
from simkit.judging.comparison import PairedComparison, Tally, compare
from simkit.judging.curve import threshold_at


def contest(courts: Mapping[str, Court]) -> tuple[PairedComparison, ...]:
    """Compare every two pickers that are no oracles and look for the same particles.

    Parameters
    ----------
    courts : mapping
        Picker → its rows, sorted and matched; of all the same truth and setting.

    Notes
    -----
    At their own thresholds a picker that is bolder wins recall and loses precision. At equal false picks
    each list is cut where it holds as many false picks per micrograph as `score.equal_false_picks` says,
    or where the shortest list ends if that is fewer; that cut uses the truth, alike for all.
    """
    fair = {name: court for name, court in courts.items() if not court.answer.oracle}
    if len(fair) < 2:
        return ()
    seed = next(iter(fair.values())).setting.seed
    own = [_tally(name, court) for name, court in fair.items()]
    found = compare(own, basis="own thresholds", seed=seed)
    allowed, cuts = _equal_cuts(fair)
    if len(cuts) < 2:
        return found
    equal = [_tally(name, _cut(fair[name], threshold)) for name, threshold in cuts.items()]
    at = compare(equal, basis="equal false picks", seed=seed)
    return (*found, *(replace(comparison, false_per_image=allowed) for comparison in at))


def _equal_cuts(courts: Mapping[str, Court]) -> tuple[float, dict[str, float]]:
    """Return the false picks per micrograph to compare at, and every picker's threshold there."""
    curves = {name: c.blind.curve for name, c in courts.items() if c.blind.curve is not None}
    ends = [curve.fp[-1] / curve.images for curve in curves.values() if len(curve.fp)]
    wanted = next(iter(courts.values())).setting.score.equal_false_picks
    allowed = float(min([wanted, *ends]))
    cuts = {name: threshold_at(curve, allowed) for name, curve in curves.items()}
    return allowed, {name: np.inf if cut is None else cut for name, cut in cuts.items()}


def _cut(court: Court, threshold: float) -> Court:
    answer = court.answer
    candidates = answer.picks if answer.candidates is None else answer.candidates
    return Court(
        court.truth, replace(answer, picks=candidates.take(candidates["score"] >= threshold)), court.setting
    )


def _tally(name: str, court: Court) -> Tally:
    def per_cluster(clusters: Indices) -> FloatArray:
        return np.bincount(clusters, minlength=court.clusters.count).astype(float)

    hits = np.zeros(len(court.truth), bool)
    hits[court.match.truth] = True
    return Tally(
        name=name,
        tp=per_cluster(court.truth_cluster[hits]),
        picks=per_cluster(court.pick_cluster[~court.ignored_picks]),
        truths=per_cluster(court.truth_cluster[~court.left_out]),
        hits=hits,
        judged=~court.left_out,
    )
