"""Who is shown what: pickers see pixels, oracles the noise, scoring keeps the classes apart."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from simkit.core.tables import Picks, Truth
from simkit.engine.court import Answer, Setting
from simkit.engine.micrographs import Job, search
from simkit.engine.scoring import judge
from simkit.picker.base import Found, Picker, Sight
from simkit.scenario.spec import Scenario, Score

SEEN: list[Sight] = []


class Spy(Picker):
    """A picker that remembers what it was shown and finds nothing."""

    kind: Literal["spy"] = "spy"
    asks: bool = False

    @property
    def oracle(self) -> bool:
        return self.asks

    def pick(self, sight: Sight) -> Found:
        SEEN.append(sight)
        return Found(Picks(), np.zeros(sight.grid.shape), sight.grid, 0.0)


def shown_to(*, asks: bool, replicate: int = 0, name: str = "spy") -> Sight:
    SEEN.clear()
    scenario = Scenario.model_validate(
        {
            "schema_version": 1,
            "image": {"shape": [40, 50], "pixel_size": 4.0},
            "noise": {"film": {"kind": "gaussian", "sd": 2.0}},
            "pickers": {name: Spy(asks=asks, threshold={"kind": "fixed", "value": 0.0})},
        }
    )
    search(Job(scenario, replicate, {}, 1))
    return SEEN[0]


def test_only_an_oracle_is_shown_the_true_noise() -> None:
    assert shown_to(asks=False).noise_spectrum is None
    told = shown_to(asks=True).noise_spectrum
    assert told is not None
    np.testing.assert_allclose(told, 4.0)


def test_a_sight_holds_no_truth() -> None:
    names = set(vars(shown_to(asks=True)))
    assert names == {
        "pixels",
        "grid",
        "banks",
        "device",
        "spacing",
        "noise_spectrum",
        "mask",
        "rng",
        "workers",
        "name",
    }


def test_each_picker_and_micrograph_has_a_stream_of_its_own() -> None:
    def draw(**which: Any) -> float:
        return float(shown_to(asks=False, **which).rng.random())

    assert draw(replicate=1) == draw(replicate=1)
    assert len({draw(replicate=0), draw(replicate=1), draw(replicate=0, name="other")}) == 3


def test_classes_are_scored_apart_and_all_is_blind_to_them() -> None:
    truth = Truth(**{"class": ["top", "top", "side"], "y": [0.0, 100.0, 200.0], "x": [0.0, 0.0, 0.0]})
    picks = Picks(**{"class": ["top", "side", "side"], "y": [1.0, 101.0, 201.0], "x": [0.0, 0.0, 0.0]})
    found = judge(truth, Answer(picks), Setting(Score(radius=5.0), classes=("top", "side"))).values
    counts = {c: tuple(found[c][k] for k in ("tp", "fp", "fn")) for c in found}
    assert counts == {"all": (3, 0, 0), "top": (1, 0, 1), "side": (1, 1, 0)}
    assert found["all"]["wrong_class"] == 1
