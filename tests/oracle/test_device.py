"""An accelerator gives the processor's scores, by the same code in another library's functions."""

from __future__ import annotations

from collections.abc import Callable

import array_api_strict
import numpy as np
import pytest

from simkit.correlation.device import BATCH, Accelerator, torch_device
from simkit.correlation.steering import SteeredBank
from simkit.correlation.tiles import best_over_views

# A score is three transforms long in single precision: some ten roundings of 6e-8 each, relative to the
# largest of the scores. Together they come out below 1e-6; twice that is a fault.
ROUNDING = 2e-6


def strict() -> Accelerator:
    """Return the standard itself: what is not in it raises."""
    return Accelerator(array_api_strict, None, lambda values: np.array(np.from_dlpack(values)))


def torch() -> Accelerator:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    return torch_device("cpu")


LIBRARIES = pytest.mark.parametrize("library", [strict, torch], ids=["strict", "torch"])


def search(
    shape: tuple[int, ...], box: tuple[int, ...], kernels: int, views: int | None
) -> tuple[np.ndarray, SteeredBank, np.ndarray, tuple[int, ...]]:
    """Return an image of noise, any bank, sums and where the places searched begin."""
    rng = np.random.default_rng(3)

    def drawn(*size: int) -> np.ndarray:
        return rng.standard_normal(size).astype(np.float32)

    image = drawn(*[n + 2 * b for n, b in zip(shape, box, strict=True)])
    mixing = None if views is None else drawn(views, kernels + 1)
    return image, SteeredBank(drawn(kernels, *box), mixing, stride=2), drawn(*shape), box


CASES = {
    "steered": ((60, 83), (11, 7), BATCH + 3, 10),
    "exhaustive": ((60, 83), (11, 7), 2 * BATCH + 1, None),
    "one kernel": ((40, 40), (9, 9), 1, None),
    "one dimension": ((500,), (31,), 5, 12),
}


@LIBRARIES
@pytest.mark.parametrize("case", CASES)
def test_scores_are_the_processors(library: Callable[[], Accelerator], case: str) -> None:
    image, bank, sums, start = search(*CASES[case])
    there = library()
    here = best_over_views(image, bank, sums, start=start)
    for found, true in zip(best_over_views(image, bank, sums, start=start, device=there), here, strict=True):
        assert found.dtype == np.float32
        assert np.abs(found - true).max() <= ROUNDING * np.abs(true).max()


@LIBRARIES
def test_little_memory_makes_more_tiles_and_the_same_scores(library: Callable[[], Accelerator]) -> None:
    image, bank, sums, start = search((200, 150), (11, 7), 5, 40)
    there = library()
    small = Accelerator(there.xp, there.place, there.home, memory=2**20, batch=2)
    edges = small.edges((11, 7), 5)
    assert max(edges) < 150
    assert 8 * 6 * edges[0] * edges[1] < 2**20
    assert small.block(20) < edges[0] * edges[1]
    whole, first = best_over_views(image, bank, sums, start=start)
    parts, first_of_parts = best_over_views(image, bank, sums, start=start, device=small)
    assert np.abs(parts - whole).max() <= ROUNDING * np.abs(whole).max()
    assert np.abs(first_of_parts - first).max() <= ROUNDING * np.abs(whole).max()
