"""A template that is one of the scenario's own species."""

from __future__ import annotations

import difflib
from typing import Literal

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.template._drawn import Drawn
from simkit.template.base import Subject, Surroundings


class SpecimenTemplate(Drawn):
    """A copy of a species, imaged as the scenario images it."""

    kind: Literal["specimen"] = "specimen"

    of: str
    """The species; a match finds it, and its symmetry is the template's, unless written otherwise."""

    optics: Literal["scenario", "none"] = "scenario"
    """scenario: seen through the scenario's own psf; none: the density itself, in the stated contrast."""

    def views(self, angles: FloatArray, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.views`."""
        subject = self._subject(around)
        return self.drawn_views(subject.spectrum, subject.support, angles, around), subject.support

    def default_finds(self, name: str) -> str:
        """Return the species."""
        return self.of

    def effective_symmetry(self, around: Surroundings) -> str:
        """Return the species' symmetry unless the template has one of its own."""
        return self.symmetry or self._subject(around).symmetry

    def _subject(self, around: Surroundings) -> Subject:
        if self.of in around.species:
            return around.species[self.of]
        near = difflib.get_close_matches(self.of, around.species, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise ScenarioError(
            f"there is no species {self.of!r}; there are {', '.join(around.species) or 'none'}{hint}", ("of",)
        )
