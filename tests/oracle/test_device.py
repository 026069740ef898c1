"""An accelerator gives the processor's scores, by the same code in another library's functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import array_api_strict
import numpy as np
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.errors import ResourceError
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.device import BATCH, HOST, Accelerator, device_named, torch_device
from simkit.correlation.steering import SteeredBank
from simkit.correlation.tiles import best_over_views
from simkit.picker import FAMILY, _search
from simkit.picker.base import Sight

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
    "steered": ((60, 83), (11, 7), BATCH + 3, 4 * BATCH),
    "views": ((60, 83), (11, 7), BATCH + 3, 10),
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
    found = best_over_views(image, bank, sums, start=start, device=there)
    assert found.dtype == np.float32
    assert np.abs(found - here).max() <= ROUNDING * np.abs(here).max()


@LIBRARIES
def test_little_memory_makes_more_tiles_and_the_same_scores(library: Callable[[], Accelerator]) -> None:
    image, bank, sums, start = search((200, 150), (11, 7), 5, 40)
    there = library()
    small = Accelerator(there.xp, there.place, there.home, memory=2**20, batch=2)
    edges = small.edges((11, 7), 5)
    assert max(edges) < 150
    assert 8 * 6 * edges[0] * edges[1] < 2**20
    assert small.block(20) < edges[0] * edges[1]
    whole = best_over_views(image, bank, sums, start=start)
    parts = best_over_views(image, bank, sums, start=start, device=small)
    assert np.abs(parts - whole).max() <= ROUNDING * np.abs(whole).max()


def test_the_processor_is_the_default_and_what_is_not_there_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert device_named("cpu") is HOST
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ResourceError, match=r"'cuda:7'.*pip install 'simkit\[gpu\]'") as wrong:
        device_named("cuda:7")
    assert wrong.value.exit_code == 2


def test_a_device_that_pytorch_does_not_know_is_refused() -> None:
    torch()
    with pytest.raises(ResourceError, match="PyTorch has no device 'nonsense' here"):
        device_named("nonsense")


def test_the_command_line_tells_the_search_its_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    scenario = Path(__file__).parents[2] / "scenarios" / "lecture" / "hemocyanin.yaml"
    said = CliRunner().invoke(app, ["run", str(scenario), "--device", "cuda:6", "--out", str(tmp_path / "r")])
    assert said.exit_code == 2
    assert "simkit[gpu]" in said.output


@LIBRARIES
def test_a_picker_finds_the_same_on_an_accelerator(
    library: Callable[[], Accelerator], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    image = rng.standard_normal((96, 96))
    y, x = np.mgrid[-8:9, -8:9]
    view = np.exp(-(y**2 + x**2) / 18)
    image[20:37, 40:57] += 2 * view
    bank = TemplateBank("blob", "blob", standardised(view[None]), np.zeros(1), 1.0, 8.0, "C1")
    there, asked = library(), []
    known = {"cpu": HOST, "elsewhere": there}
    monkeypatch.setattr(_search, "device_named", lambda name: asked.append(name) or known[name])
    picker = FAMILY.kind("matched_filter").model_validate({"threshold": {"kind": "top", "count": 1}})
    sight = Sight(image, Grid(image.shape, 1.0), [bank], None, None, None, rng)
    here, other = picker.pick(sight), picker.pick(replace(sight, device="elsewhere"))
    assert asked == ["cpu", "elsewhere"]
    assert np.abs(here.score_map - other.score_map).max() <= ROUNDING * here.score_map.max()
    for column in ("y", "x", "score"):
        assert np.array_equal(here.picks[column], other.picks[column])
