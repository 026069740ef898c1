"""What a reader of a run must know before its numbers are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simkit.core.tables import Picks
from simkit.engine.archive import Archive
from simkit.engine.results import Judgement, PickerRun
from simkit.engine.variants import null_variants
from simkit.io.names import few
from simkit.judging.chance import warning_is_due
from simkit.matching.suspicion import likely_frame
from simkit.picker.base import Found
from simkit.scenario.micrographs import Micrographs
from simkit.scenario.spec import Scenario


def notices(
    section: Micrographs,
    archive: Archive,
    pickers: Mapping[str, PickerRun],
    *,
    blank: Sequence[str],
    radius: float | None,
) -> tuple[str, ...]:
    """Return what was left out, what could not be searched, and whether the truth looks turned.

    Parameters
    ----------
    section : Micrographs
        As the scenario has it.
    archive : Archive
        The micrographs, and how their files and the truth came together.
    pickers : mapping
        What was found.
    blank : sequence of str
        Micrographs without contrast.
    radius : float or None
        Å, of scoring; None where nothing is scored.
    """
    told = list(archive.notices)
    if blank:
        told.append(f"all pixels of {few(blank)} are equal; nothing can be found there")
    if section.truth is not None and radius is not None:
        told += _turned(section.truth.frame, archive, pickers, radius)
    return tuple(told)


def by_chance(judgements: Mapping[str, Judgement], radius: float) -> list[str]:
    """Say that a radius is so large that picks strewn at random would often match.

    Parameters
    ----------
    judgements : mapping
        Picker → its scores; how many particles count may differ between them.
    radius : float
        Å, of scoring.
    """
    shares = [judgement.values["all"].get("chance_matches") for judgement in judgements.values()]
    worst = max((share for share in shares if share is not None), default=None)
    if worst is None or not warning_is_due(worst):
        return []
    return [
        f"the radius of {radius:.4g} Å is large for so many particles: of picks strewn at random "
        f"{100 * worst:.0f} % would match one"
    ]


def of_pickers(scenario: Scenario, found: Mapping[str, Sequence[Found]]) -> list[str]:
    """Say what pickers have to say of their lists, and which of them no null can be asked of.

    Parameters
    ----------
    scenario : Scenario
        Declares the pickers.
    found : mapping
        Picker → what it returned for each micrograph.
    """
    told = [f"{name}: {notice}" for name, each in found.items() for one in each for notice in one.notices]
    blind = [name for name, picker in scenario.pickers.items() if not picker.sees_pixels]
    if blind and null_variants(scenario):
        told.append(
            f"{few(blind)}: picks made earlier; what would be picked where no particle is, is unknown"
        )
    return told + _unusable(found)


def _unusable(found: Mapping[str, Sequence[Found]]) -> list[str]:
    """Say how much of the micrographs is dead or missing, once: all who look see the same pixels."""
    shares = max(
        ([one.notes.get("unusable", 0.0) for one in each] for each in found.values()), key=sum, default=[]
    )
    some = [share for share in shares if share > 0]
    if not some:
        return []
    return [
        f"up to {100 * max(some):.2g} % of the pixels of {len(some)} of {len(shares)} micrographs are dead "
        "or have no value; nothing is picked there"
    ]


def _turned(declared: str, archive: Archive, pickers: Mapping[str, PickerRun], radius: float) -> list[str]:
    """Say that known positions agree with the picks only when they are read in another frame."""
    grids = dict(zip(archive.names, archive.grids, strict=True))
    shape = next((grids[name].shape for name in archive.names if name in archive.judged), None)
    one_size = {name for name in archive.judged if grids[name].shape == shape}
    truth = archive.truth.take([name in one_size for name in archive.truth["micrograph"].tolist()])
    for picker, run in pickers.items():
        picks: Picks = run.picks.take([name in one_size for name in run.picks["micrograph"].tolist()])
        if suspicion := likely_frame(truth, picks, radius=radius):
            return [
                f"the known positions look {suspicion.frame}: as given they match {suspicion.as_given} of "
                f"{len(picks)} picks of {picker}, which is what chance gives ({suspicion.chance:.0f}), and "
                f"{suspicion.better} once turned; correct `micrographs.truth.frame`, which is {declared}"
            ]
    return []
