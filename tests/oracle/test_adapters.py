"""Adapters of other libraries' template matching: the right places at odd and even boxes, and one score."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from simkit.correlation.bank import TemplateBank, standardised

PLACES = np.array([[20, 31], [58, 14], [75, 80]])


def mark(side: int, psi: float) -> np.ndarray:
    """A mark that no turn leaves as it is, centred on the pixel side // 2."""
    axis = np.arange(side) - side // 2
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * axis + s * axis[:, None], -s * axis + c * axis[:, None]
    return np.exp(-(along**2 / 40 + across**2 / 8)) + np.exp(-((along - 5) ** 2 + (across - 4) ** 2) / 6)


@pytest.mark.parametrize("library", ["skimage", "cv2"])
@pytest.mark.parametrize("side", [20, 21])
def test_a_match_stands_on_the_centre(library: str, side: int) -> None:
    pytest.importorskip(library)
    module = importlib.import_module(f"simkit.adapters.{'opencv' if library == 'cv2' else 'scikit_image'}")
    angles = np.array([0.0, 90.0, 180.0, 270.0])
    bank = TemplateBank(
        "m", "mark", standardised(np.stack([mark(side, a) for a in angles])), angles, 2.0, 16.0, "C1"
    )
    image = 7 + 0.01 * np.random.default_rng(3).standard_normal((96, 100))
    for (y, x), psi in zip(PLACES, angles[1:], strict=True):
        image[y - side // 2 :, x - side // 2 :][:side, :side] += 3 * mark(side, psi)
    found = module.match_template(image.astype(np.float32), templates=(bank,), threshold=0.9)
    order = np.argsort(found["y"])
    np.testing.assert_array_equal(np.stack([found["y"], found["x"]], axis=1)[order], PLACES)
    assert np.array(found["psi"])[order].tolist() == [90.0, 180.0, 270.0]
    assert found["class"] == ["mark"] * 3
    # The noise is 1/300 of the mark: correlation falls short of 1 by the square of that, and box edges.
    assert np.all((found["score"] > 0.99) & (found["score"] < 1.0001))


@pytest.mark.parametrize("dark", [False, True])
def test_blobs_of_either_contrast(dark: bool) -> None:
    from simkit.adapters.scikit_image import blob_log

    y, x = np.indices((96, 100))
    image = sum(np.hypot(y - a, x - b) <= 6 for a, b in PLACES) * (-1.0 if dark else 1.0)
    found = blob_log(image, pixel_size=2.0, radius=12.0, dark=dark)
    assert sorted(zip(found["y"], found["x"], strict=True)) == sorted(map(tuple, PLACES.astype(float)))
