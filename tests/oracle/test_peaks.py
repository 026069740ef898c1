"""Peaks: regional maxima, suppression and the quadratic top, each against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from simkit.correlation import contrast
from simkit.correlation.peaks import Peak, highest_within, local_maxima, suppress, suppress_lazily
from simkit.correlation.subpixel import quadratic_peak

LEVELS = st.integers(0, 3)
PLANES = arrays(np.int8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=LEVELS)
SMALL_MAPS = PLANES | arrays(np.int8, st.integers(1, 20), elements=LEVELS)


def regional_maxima(values: np.ndarray) -> list[tuple[int, ...]]:
    """Flood every plateau and ask whether anything around it is higher."""
    found, seen = [], set()
    for place in np.ndindex(values.shape):
        if place in seen:
            continue
        plateau, queue, top = {place}, [place], True
        while queue:
            here = queue.pop()
            for step in itertools.product((-1, 0, 1), repeat=values.ndim):
                near = tuple(np.add(here, step).tolist())
                if not all(0 <= i < n for i, n in zip(near, values.shape, strict=True)):
                    continue
                if values[near] > values[here]:
                    top = False
                elif values[near] == values[here] and near not in plateau:
                    plateau.add(near)
                    queue.append(near)
        seen |= plateau
        if top:
            found.append(min(plateau))
    return found


@settings(deadline=None)
@given(SMALL_MAPS)
def test_local_maxima_are_the_regional_maxima(values: np.ndarray) -> None:
    found = [tuple(row) for row in local_maxima(values.astype(float)).tolist()]
    assert found == sorted(regional_maxima(values))


@given(SMALL_MAPS, st.integers(0, 9))
def test_the_highest_within_a_reach_is_that_of_scipys_filter(values: np.ndarray, reach: int) -> None:
    expected = ndimage.maximum_filter(values.astype(float), 2 * reach + 1, mode="nearest")
    assert (highest_within(values.astype(float), reach) == expected).all()


def greedy(positions: np.ndarray, scores: np.ndarray, reach: np.ndarray) -> list[int]:
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], *positions[i]))
    kept: list[int] = []
    for i in order:
        if all(np.linalg.norm(positions[i] - positions[j]) >= min(reach[i], reach[j]) for j in kept):
            kept.append(i)
    return kept


POINTS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5), st.sampled_from([1.5, 3.0, 4.0])),
    max_size=40,
)


@settings(deadline=None)
@given(POINTS)
def test_suppression_is_greedy(points: list[tuple[int, int, int, float]]) -> None:
    table = np.array(points, float).reshape(-1, 4)
    positions, scores, reach = table[:, :2], table[:, 2], table[:, 3]
    kept = suppress(positions, scores, reach)
    # Twins differ in nothing that shows; compare what was kept, not which row.
    assert table[kept].tolist() == table[greedy(positions, scores, reach)].tolist()


def test_peaks_exactly_the_distance_apart_both_stay() -> None:
    positions, scores = np.array([[0.0, 0.0], [0.0, 3.0]]), np.array([1.0, 2.0])
    assert suppress(positions, scores, np.full(2, 3.0)).tolist() == [1, 0]
    assert suppress(positions, scores, np.full(2, np.nextafter(3.0, 4))).tolist() == [1]


def test_a_suppressed_peak_suppresses_nothing() -> None:
    positions = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 4.0]])
    assert suppress(positions, np.array([3.0, 2.0, 1.0]), np.full(3, 3.0)).tolist() == [0, 2]


@settings(deadline=None)
@given(POINTS, st.integers(0, 2**32 - 1))
def test_lazy_suppression_keeps_the_same(points: list[tuple[int, int, int, float]], seed: int) -> None:
    table = np.array(points, float).reshape(-1, 4)
    rng = np.random.default_rng(seed)
    exact = table[:, :2] + rng.uniform(-0.3, 0.3, (len(table), 2))
    # Distinct scores: with ties the order of equals would have to be defined by rough positions.
    scores = table[:, 2] + rng.permutation(len(table)) / 100
    bounds = scores + rng.uniform(0, 1, len(table))
    calls = []

    def refine(i: int) -> Peak | None:
        calls.append(i)
        return Peak(exact[i], 0.0, scores[i], i)

    # Two points that each moved by up to 0.3·√2: distances differ by less than 0.9.
    lazy = suppress_lazily(table[:, :2], bounds, table[:, 3], slack=0.9, refine=refine)
    assert [p.template for p in lazy] == suppress(exact, scores, table[:, 3]).tolist()
    assert len(calls) == len(set(calls))


def test_lazy_suppression_works_out_no_more_than_it_must() -> None:
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 100, (400, 2))
    scores = rng.uniform(0, 1, 400)
    calls = []

    def refine(i: int) -> Peak:
        calls.append(i)
        return Peak(positions[i], 0.0, scores[i], i)

    kept = suppress_lazily(positions, scores + 0.01, np.full(400, 20.0), slack=0.5, refine=refine)
    assert len(kept) <= len(calls) < 60


@pytest.mark.parametrize("ndim", [1, 2])
def test_the_top_of_a_quadratic_is_exact(ndim: int) -> None:
    rng = np.random.default_rng(1)
    steps = np.indices((3,) * ndim) - 1
    for _ in range(50):
        root = rng.standard_normal((ndim, ndim))
        bend = -(root @ root.T + np.eye(ndim))  # a tilted ridge: the mixed term matters
        top, height = rng.uniform(-0.45, 0.45, ndim), rng.uniform(1, 2)
        away = steps - top.reshape(-1, *(1,) * ndim)
        values = height + 0.5 * np.einsum("i...,ij,j...->...", away, bend, away)
        offset, value = quadratic_peak(values[None])
        np.testing.assert_allclose(offset[0], top, atol=1e-12)
        assert value[0] == pytest.approx(height, abs=1e-12)


def test_flat_or_saddle_samples_have_no_top() -> None:
    flat, saddle = np.ones((3, 3)), np.array([[0, 1, 0], [-1, 0, -1], [0, 1, 0]])
    offset, height = quadratic_peak(np.stack([flat, saddle]))
    assert (offset == 0).all()
    assert height.tolist() == [1, 0]


def test_strips_have_the_maxima_of_the_whole(monkeypatch):
    """Also where a strip ends, and in one dimension."""
    monkeypatch.setattr(contrast, "STRIP", 7)
    for shape in [(40, 30), (43,), (6, 5)]:
        values = np.random.default_rng(8).standard_normal(shape)
        np.testing.assert_array_equal(contrast._maxima_in_strips(values), local_maxima(values))
