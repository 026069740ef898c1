"""What is worked out for many at once is what it is for each alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkit.core.products import products
from simkit.correlation.padding import boxes_around
from simkit.correlation.subpixel import with_derivatives


@given(lead=st.lists(st.integers(1, 3), max_size=2), m=st.integers(1, 4), n=st.integers(1, 4))
def test_products_are_those_of_matrices(lead: list[int], m: int, n: int) -> None:
    rng = np.random.default_rng(3)
    left, right = (rng.standard_normal((*lead, k, 50)) for k in (m, n))
    np.testing.assert_allclose(
        products(left, right), np.einsum("...ix,...jx->...ij", left, right), atol=1e-12
    )


@pytest.mark.parametrize("shape", [(31,), (30, 41)])
def test_boxes_are_cut_around_each_place(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).standard_normal(shape)
    box, places = (4, 7)[-len(shape) :], [(12, 20)[-len(shape) :], (0, 3)[-len(shape) :]]
    boxes = boxes_around(values, places, box, 2)
    for place, around in zip(places, boxes, strict=True):
        for step in np.ndindex(*around.shape[: len(shape)]):
            centre = [p + s - 2 for p, s in zip(place, step, strict=True)]
            axes = [(np.arange(n) - n // 2 + c) % size for n, c, size in zip(box, centre, shape, strict=True)]
            np.testing.assert_array_equal(around[step], values[np.ix_(*axes)])


def test_views_are_moved_and_turned_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    y, x = np.indices((31, 33)) - 16
    views = np.stack([np.exp(-((y - a) ** 2 + (x + a) ** 2 / 3) / 9) for a in (0, 2, -1)])
    offsets, turns = rng.uniform(-0.5, 0.5, (3, 2)), np.array([0.1, 0.0, -0.05])
    images = rng.standard_normal(views.shape)
    gradients, bends = with_derivatives(views, offsets, turns)
    together = bends(images)
    for i in range(3):
        gradient, bend = with_derivatives(views[i], offsets[i], turns[i])
        # Where one is not turned, it is turned by nothing beside the others, which rounds.
        np.testing.assert_allclose(gradients[i], gradient, atol=1e-12)
        np.testing.assert_allclose(together[i], bend(images[i]), atol=1e-9)
