"""How fast picks are matched with truths, beside what one would write and beside the floor, in one run.

    python tests/benchmarks/matching_speed.py [--points 100000] [--rounds 3] [--large]

Random truths 10 Å apart on average, 85 % of them picked to 1 Å and as many picks as truths, on one micrograph
and on one for every 1,000 truths, at radii of a fifth, a half and the whole of the spacing. The peers are a
KD-tree with a greedy loop in Python, and SciPy's assignment on the full matrix of 2,000 points, where
simkit is timed again. The floor is two KD-trees and their query. Every time is the least of interleaved
rounds, since other programs share the machine; with `--large` a million and ten million points are matched
once, by the optimal rule at half the spacing, with the peak of the process' memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from simkit.core.tables import Picks, Truth
from simkit.matching.pairs import positions
from simkit.matching.published import published_scores
from simkit.matching.rules import RULES, match

SPACING = 10.0
FULL = 2000
Tasks = dict[str, Callable[[], object]]


def scene(points: int, micrographs: int) -> tuple[Truth, Picks]:
    rng = np.random.default_rng(0)
    side = SPACING * np.sqrt(points / micrographs)
    names = np.array([f"micrograph_{k:05d}" for k in range(micrographs)])
    names = names[np.arange(points) * micrographs // points]
    truths = rng.uniform(0, side, (points, 2))
    seen = rng.random(points) < 0.85
    picks = np.where(seen[:, None], truths + rng.normal(0, 1, (points, 2)), rng.uniform(0, side, (points, 2)))
    return (
        Truth(micrograph=names, y=truths[:, 0], x=truths[:, 1]),
        Picks(micrograph=names, y=picks[:, 0], x=picks[:, 1], score=rng.random(points)),
    )


def stacked(truth: Truth, picks: Picks, radius: float) -> list[np.ndarray]:
    names = np.unique(truth["micrograph"])
    sheets = [2 * radius * np.searchsorted(names, table["micrograph"]) for table in (truth, picks)]
    return [np.column_stack([positions(t), z]) for t, z in zip((truth, picks), sheets, strict=True)]


def greedy_loop(truth: Truth, picks: Picks, radius: float) -> int:
    points = stacked(truth, picks, radius)
    reach = cKDTree(points[0]).query_ball_point(points[1], radius)
    taken = set()
    for pick in np.argsort(-picks["score"], kind="stable").tolist():
        free = [t for t in reach[pick] if t not in taken]
        if free:
            distance = np.linalg.norm(points[0][free] - points[1][pick], axis=1)
            taken.add(free[int(distance.argmin())])
    return len(taken)


def floor(truth: Truth, picks: Picks, radius: float) -> int:
    points = stacked(truth, picks, radius)
    trees = [cKDTree(p) for p in points]
    return len(trees[0].sparse_distance_matrix(trees[1], radius, output_type="ndarray"))


def full_matrix(truth: Truth, picks: Picks, radius: float) -> int:
    cost = cdist(positions(truth), positions(picks), "sqeuclidean")
    cost[cost > radius**2] = 1e3 * len(truth) * radius**2
    return int((cost[linear_sum_assignment(cost)] <= radius**2).sum())


def tasks(truth: Truth, picks: Picks, radius: float) -> Tasks:
    rules: Tasks = {
        f"simkit {name}": lambda name=name: match(truth, picks, radius=radius, rule=name) for name in RULES
    }
    return {
        **rules,
        "simkit, all published rules": lambda: published_scores(truth, picks, radius=radius),
        "KD-tree and a greedy loop": lambda: greedy_loop(truth, picks, radius),
        "floor: KD-trees and their query": lambda: floor(truth, picks, radius),
    }


def show(title: str, rounds: int, jobs: Tasks) -> None:
    print(f"\n{title}")
    seconds = dict.fromkeys(jobs, np.inf)
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    ours = next(iter(seconds.values()))
    for name, spent in seconds.items():
        print(f"  {name:34s} {spent:8.3f} s  {spent / ours:8.2f} ×")


def large() -> None:
    for points in (1_000_000, 10_000_000):
        truth, picks = scene(points, points // 1000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        found = match(truth, picks, radius=SPACING / 2)
        spent = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"\n{points:,} truths and picks: {len(found.truth):,} pairs in {spent:.1f} s; peak of memory "
            f"{peak / 2**20:.1f} GiB, of which {before / 2**20:.1f} GiB to make the tables"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--points", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--large", action="store_true")
    given = options.parse_args()
    for micrographs in (1, max(given.points // 1000, 2)):
        truth, picks = scene(given.points, micrographs)
        for share in (0.2, 0.5, 1.0):
            title = f"{given.points:,} truths and picks, {micrographs} micrographs, radius {share:g} spacings"
            show(title, given.rounds, tasks(truth, picks, share * SPACING))
    truth, picks = scene(FULL, 1)
    few: Tasks = {
        "simkit optimal": lambda: match(truth, picks, radius=SPACING),
        "SciPy assignment, full matrix": lambda: full_matrix(truth, picks, SPACING),
    }
    show(f"{FULL:,} truths and picks, 1 micrograph, radius 1 spacing", given.rounds, few)
    if given.large:
        large()


if __name__ == "__main__":
    main()
