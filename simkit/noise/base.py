"""The contract of noise: what the detector does to the ideal image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.spec import Spec


class Noise(Spec):
    """One step of the detector; named members act in written order."""

    dimensions: ClassVar[frozenset[int]] = frozenset({1, 2})
    """Numbers of dimensions in which the kind exists."""

    counts: ClassVar[bool] = False
    """Whether the step turns intensities into electron counts."""

    @abstractmethod
    def apply(self, image: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
        """Return the image after this step, in a new array.

        Raises
        ------
        ScenarioError
            If the image cannot be detected (negative intensity); its path is relative to the noise.
        """

    @abstractmethod
    def spectrum(self, grid: Grid, mean: float) -> FloatArray:
        """Return the power spectrum of the noise this step adds.

        Parameters
        ----------
        grid : Grid
            The image.
        mean : float
            Mean of the image before this step.

        Returns
        -------
        array in real-FFT layout: variance per pixel at each frequency, so that white noise of
        standard deviation s has the constant s² and the mean over the full plane is the variance
        """

    def gain(self, grid: Grid) -> float:
        """Factor by which the step scales what comes in: 1, or e⁻ per pixel and unit of intensity."""
        return 1.0

    def resolved(self, copy_variance: Callable[[], float]) -> Self:
        """Return the same noise with any `snr` turned into a standard deviation.

        Parameters
        ----------
        copy_variance : callable
            Gives the variance of one imaged copy inside its support radius.

        Raises
        ------
        ScenarioError
            If there is no copy to refer to.
        """
        return self
