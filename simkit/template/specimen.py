"""A template that is one of the scenario's own species."""

from __future__ import annotations

import difflib
from typing import Literal

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.orientation import View
from simkit.template._drawn import Drawn
from simkit.template._solids import Directions, refuse_too_many
from simkit.template.base import Subject, Surroundings, Views


class SpecimenTemplate(Drawn):
    """A copy of a species, imaged as the scenario images it."""

    kind: Literal["specimen"] = "specimen"

    of: str
    """The species; a match finds it, and its symmetry is the template's, unless written otherwise."""

    views: Directions | None = None
    """Directions to look from at a solid; by default the one that its copies are seen from, if it is one."""

    optics: Literal["scenario", "none"] = "scenario"
    """scenario: seen through the scenario's own psf; none: the density itself, in the stated contrast."""

    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.images`."""
        subject = self._subject(around)
        return self.drawn_views(lambda grid: subject.spectra(grid, angles, views), subject.support, around)

    def directions(self, around: Surroundings) -> tuple[View | None, ...]:
        """See `Template.directions`."""
        subject = self._subject(around)
        if message := self.views_error(solid=subject.solid, single=subject.view is not None):
            raise ScenarioError(message, ("views",))
        if self.views is None:
            return (subject.view,)
        views = self.views.views(self.effective_symmetry(around))
        support = self.scale * subject.support
        refuse_too_many(len(views), self.rotations, support=support, image=around.grid)
        return views

    def views_error(self, *, solid: bool, single: bool) -> str | None:
        """Say what is wrong about `views` for a species; None if nothing.

        Parameters
        ----------
        solid : bool
            Whether the species is a solid.
        single : bool
            Whether all its copies are seen from one direction.
        """
        if self.views is not None and not solid:
            return f"{self.of} is flat: it has no other views; leave this out"
        if self.views is None and solid and not single:
            return (
                f"copies of {self.of} are seen from many directions; say from which to look for them, "
                "for example `views: {step: 20°}`"
            )
        return None

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
