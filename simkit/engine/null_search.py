"""What pickers find in micrographs without particles: a little from each, then all of it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simkit.core.grid import FloatArray
from simkit.engine.ghost import Stack, ghost_of, stacks
from simkit.engine.nulls import NullRun, PickerNull, Variant
from simkit.engine.picking import Banks, searched_banks
from simkit.picker.base import Found
from simkit.scenario.spec import Scenario


@dataclass(frozen=True)
class NullSearch:
    """One picker on one micrograph without particles; it travels between processes.

    Attributes
    ----------
    picks : int
        Above the picker's own threshold.
    expected_false : float or None
        How many the picker expected.
    stacks : mapping
        Place of a view among those searched → the boxes it found (`ghost.stacks`).
    """

    picks: int
    expected_false: float | None
    stacks: Mapping[int, Stack]


def null_search(
    scenario: Scenario, found: Mapping[str, Found], pixels: FloatArray, banks: Banks
) -> dict[str, NullSearch]:
    """Reduce what was found in one micrograph to what is told of it.

    Parameters
    ----------
    scenario : Scenario
        Declares the pickers.
    found : mapping
        Picker name → what it returned.
    pixels : array
        The micrograph that was searched.
    banks : mapping
        All templates of the scenario.
    """
    size = scenario.image.pixel_size
    return {
        picker: NullSearch(
            picks=len(one.picks),
            expected_false=one.expected_false,
            stacks=stacks(pixels, kept, searched_banks(scenario, picker, banks), size)
            if pixels.ndim == 2 and len(kept := one.picks if one.candidates is None else one.candidates)
            else {},
        )
        for picker, one in found.items()
    }


def null_run(
    scenario: Scenario, variant: Variant, searches: Sequence[Mapping[str, NullSearch]], banks: Banks
) -> NullRun:
    """Bring together what was found in all micrographs of one variant.

    Parameters
    ----------
    scenario : Scenario
        Declares the pickers.
    variant : str
        Which variant these are.
    searches : sequence of mapping
        What `null_search` returned for each micrograph.
    banks : mapping
        All templates of the scenario.
    """
    return NullRun(
        variant=variant,
        micrographs=len(searches),
        pickers={
            picker: _together([s[picker] for s in searches], scenario, picker, banks)
            for picker in scenario.pickers
            if searches and picker in searches[0]
        },
    )


def _together(searches: Sequence[NullSearch], scenario: Scenario, picker: str, banks: Banks) -> PickerNull:
    expected = [s.expected_false for s in searches if s.expected_false is not None]
    return PickerNull(
        picks=sum(s.picks for s in searches),
        predicted=sum(expected) if len(expected) == len(searches) else None,
        ghost=ghost_of([s.stacks for s in searches], searched_banks(scenario, picker, banks)),
    )
