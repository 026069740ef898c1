"""What every threshold must keep; a new kind is found by itself and needs an example."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.stats import norm

from simkit.threshold import FAMILY, AnyThreshold
from simkit.threshold.base import SearchStatistics, Threshold

EXAMPLES = {
    "fixed": {"value": 0.3},
    "top": {"count": 3},
    "expected_false_picks": {"per_image": 0.5},
    "fdr": {"q": 0.1},
}


@pytest.fixture(scope="module", params=FAMILY.builtins)
def threshold(request):
    if request.param not in EXAMPLES:
        pytest.fail(f"threshold {request.param!r} needs an example in {__file__}")
    return read({"kind": request.param, **EXAMPLES[request.param]})


def read(written):
    return TypeAdapter(AnyThreshold).validate_python(written, context={"units": "required"})


def statistics(peaks):
    return SearchStatistics(np.asarray(peaks, float), 0.5, lambda u: 1e4 * norm.sf(u))


def test_written_back_it_is_the_same(threshold):
    assert read(threshold.model_dump(mode="json")) == threshold


def test_it_is_frozen_and_refuses_unknown_keys(threshold):
    with pytest.raises(ValidationError, match="frozen"):
        threshold.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(threshold).model_validate({**threshold.model_dump(), "colour": 1})


def test_the_base_cannot_be_used():
    with pytest.raises(TypeError, match="abstract"):
        Threshold()


@given(peaks=st.lists(st.floats(-100, 100), max_size=20), seed=st.integers(0, 99))
def test_the_level_is_a_number_and_blind_to_the_order_of_peaks(threshold, peaks, seed):
    level = threshold.level(statistics(peaks))
    assert isinstance(level, float)
    assert level < np.inf  # also False of NaN
    assert threshold.level(statistics(np.random.default_rng(seed).permutation(peaks))) == level


def test_no_peaks_are_no_trouble(threshold):
    assert threshold.level(statistics([])) < np.inf


def test_it_says_itself_in_words(threshold):
    assert threshold.words == threshold.words.strip()
    assert "_" not in threshold.words
    assert all(f"{value:g}" in threshold.words for value in EXAMPLES[threshold.kind].values())


def test_a_kind_of_another_package_has_words_too():
    class BestShare(Threshold):
        kind: Literal["best_share"] = "best_share"
        share: float
        at_most: int | None = None

        def level(self, statistics):
            return 0.0

    assert BestShare(share=0.25).words == "best share, share 0.25"
