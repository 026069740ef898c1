"""What makes each copy hard: its surroundings, and what physics lets anyone know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.quantity import fold, wrap_angle
from simkit.core.tables import Placements, Truth
from simkit.correlation.whitening import sampled_spectrum
from simkit.engine import imaging
from simkit.engine.appearance import KNOWN_ANGLES
from simkit.noise.base import Noise
from simkit.scenario.spec import Scenario, Species
from simkit.theory.fisher import copy_limits, derivatives_of, whitened

Rows = npt.NDArray[np.intp]

COLUMNS = ("background", "d_prime", "sigma_y", "sigma_x", "sigma_psi")
"""Columns of the truth that need the image."""

MARGIN = 4
"""Pixels around the support and the reach of the optics: four standard deviations of a drawn shape's edge."""

CHUNK = 2**22
"""Pixels of the windows that are looked at at once: 32 MiB."""

DARKEST = 1e-3
"""Least variance of a pixel relative to the largest around a copy: where no electron is expected, ripples of
the band limit are no information."""

WHITE = 1e-9
"""Relative deviation from a constant below which a noise spectrum is white."""


@dataclass(frozen=True)
class Detection:
    """Gain and noise of the detector.

    The noise power rises linearly with the intensity where electrons are counted, and else not at all.

    Attributes
    ----------
    gain : float
        Micrograph units per unit of intensity.
    dark : array in real-FFT layout of the image
        Noise variance per pixel where the intensity is 0, in the micrograph's units.
    slope : float
        Variance added per unit of intensity: 0 unless electrons are counted.
    """

    gain: float
    dark: FloatArray
    slope: float

    @classmethod
    def of(cls, noise: Mapping[str, Noise], image: Grid, spectrum: FloatArray, level: float) -> Detection:
        """Describe noise members whose joint spectrum in this image at a mean level is known."""
        few = Grid((4,) * image.ndim, image.pixel_size)
        gain = float(np.prod([member.gain(image) for member in noise.values()]))
        slope = float((noise_spectrum(noise, few, 1.0) - noise_spectrum(noise, few, 0.0)).flat[0])
        return cls(gain, np.maximum(spectrum - slope * level, 0.0), slope)


def noise_spectrum(noise: Mapping[str, Noise], grid: Grid, level: float) -> FloatArray:
    """Return the power spectrum of all noise members together, in the micrograph's units.

    Parameters
    ----------
    noise : mapping
        Members in written order, every `snr` resolved.
    grid : Grid
        The image: coloured noise of a given strength has another spectrum in an image of another size.
    level : float
        Mean intensity of the image.

    Returns
    -------
    array in real-FFT layout, variance per pixel at each frequency
    """
    total = np.zeros(grid.frequency_radius().shape)
    for member in noise.values():
        total = total * member.gain(grid) ** 2 + member.spectrum(grid, level)
        level *= member.gain(grid)
    return total


def with_difficulty(
    scenario: Scenario, truth: Truth, *, image: Grid, ideal: FloatArray, detection: Detection
) -> Truth:
    """Fill in the truth's local background and the limits on every copy.

    Parameters
    ----------
    scenario : Scenario
        As it was simulated.
    truth : Truth
        Copies on one micrograph.
    image : Grid
        Of the micrograph.
    ideal : array
        The noise-free image, in intensities.
    detection : Detection
        The noise.

    Returns
    -------
    Truth
        `background` is the mean of the noise-free image over the support, as much of it as is on the image,
        this copy left out. `d_prime` and the limits count only what is on the image; they are NaN without
        noise. Amplitude and background are unknown, and the angle where copies lie at any: the limits on
        position of copies at few angles hold for those who know these.

    Notes
    -----
    Copies of one pose share one drawing, set on the nearest pixel: moving a band-limited copy by less changes
    neither its energy nor that of its derivatives. Where noise is independent from pixel to pixel its
    variance is that of each pixel, other copies included. Otherwise it is stationary, at the mean level
    around the copies of a pose, and a copy cut by the border keeps the share of its whitened image that
    is left: the border's own effect on whitening is neglected.
    """
    columns = {name: np.full(len(truth), np.nan) for name in COLUMNS}
    # One BLAS thread: sums are then in one order on any number of cores.
    with threadpool_limits(limits=1, user_api="blas"):
        for name in scenario.specimen:
            if (mine := truth["class"] == name).any():
                found = _of_species(scenario, name, _placements(truth.take(mine)), image, ideal, detection)
                for column, values in found.items():
                    columns[column][mine] = values
    return truth.replace(**columns)


def _of_species(
    scenario: Scenario, name: str, copies: Placements, image: Grid, ideal: FloatArray, detection: Detection
) -> dict[str, FloatArray]:
    box = _box(scenario, name, image)
    factor = imaging.gain(scenario) * imaging.transfer(scenario, box)
    support = scenario.specimen[name].unit_cell.support
    around = _Surroundings.of(ideal, box, support, periodic=scenario.image.boundary == "periodic")
    noise = _PixelNoise.of(detection, image, box)
    centres = np.rint(np.stack(image.indices(*copies.positions(image.ndim)), axis=1)).astype(int)
    background = np.empty(len(copies))
    information: list[FloatArray] = []
    order: list[Rows] = []
    for alike, spectrum in _drawn(scenario, name, copies, box):
        changes = derivatives_of(spectrum, box, transfer=factor)
        for part in np.array_split(alike, -(-len(alike) * box.size // CHUNK)):
            windows = around.windows(centres[part])
            total, background[part] = around.levels(windows, changes["amplitude"])
            information.append(noise.information(changes, windows, float(total.mean())))
            order.append(part)
    found = {"background": background}
    if not noise.silent:
        whole = np.concatenate(information)[np.argsort(np.concatenate(order))]
        any_angle = may_lie_at_any_angle(scenario.specimen[name], copies)
        found |= _limits(whole, list(changes), any_angle=any_angle)
    return found


def may_lie_at_any_angle(species: Species, copies: Placements) -> bool:
    """Tell whether a copy's in-plane angle is unknown to whoever knows the scenario."""
    known = np.unique(np.round(wrap_angle(copies.psi, 360.0 / fold(species.symmetry)), 6))
    return getattr(species.lattice, "rotation", None) == "uniform" or len(known) > KNOWN_ANGLES


def _limits(information: FloatArray, parameters: list[str], *, any_angle: bool) -> dict[str, FloatArray]:
    everything = copy_limits(information, parameters)
    at_its_angle = everything
    if not any_angle:
        kept = [i for i, name in enumerate(parameters) if name != "psi"]
        without = information[:, kept][:, :, kept]
        at_its_angle = copy_limits(without, [parameters[i] for i in kept])
    return {
        "d_prime": everything.d_prime,
        "sigma_y": at_its_angle.sigma_y,
        "sigma_x": at_its_angle.sigma_x,
        "sigma_psi": everything.sigma_psi,
    }


def _drawn(
    scenario: Scenario, name: str, copies: Placements, box: Grid
) -> Iterator[tuple[Rows, ComplexArray]]:
    """Yield the rows of every pose, and the spectrum of its density."""
    poses = np.stack([copies.psi, copies.mirror, *np.nan_to_num([copies.rot, copies.tilt])], axis=1)
    _, first, pose = np.unique(poses, axis=0, return_index=True, return_inverse=True)
    cell = scenario.specimen[name].unit_cell
    drawn = cell.spectra(box, copies.take(first), interaction=imaging.interaction(scenario))
    for number, spectrum in enumerate(drawn):
        yield np.flatnonzero(pose.ravel() == number), spectrum


def _placements(truth: Truth) -> Placements:
    y, psi = (np.nan_to_num(truth[column]) for column in ("y", "psi"))
    return Placements.at(y, truth["x"], psi=psi, mirror=truth["mirror"], rot=truth["rot"], tilt=truth["tilt"])


def _box(scenario: Scenario, name: str, image: Grid) -> Grid:
    """Return an odd grid of quick transforms around a copy, no larger than a periodic image."""
    pixel = image.pixel_size
    reach = imaging.psf_support(scenario, Grid((1,) * image.ndim, pixel))
    side = max(image.box(scenario.specimen[name].unit_cell.support + reach + MARGIN * pixel).shape)
    shape = (_odd_fast_length(side),) * image.ndim
    if scenario.image.boundary == "periodic":
        shape = tuple(min(n, m) for n, m in zip(shape, image.shape, strict=True))
    return Grid(shape, pixel)


def _odd_fast_length(n: int) -> int:
    """Return the next odd length without a prime factor above 11."""
    while True:
        rest = n
        for prime in (3, 5, 7, 11):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


@dataclass(frozen=True)
class _Surroundings:
    """The noise-free image, extended so that a window fits around any of its pixels."""

    extended: FloatArray
    disc: FloatArray

    @classmethod
    def of(cls, ideal: FloatArray, box: Grid, support: float, *, periodic: bool) -> _Surroundings:
        disc = np.sqrt(sum(offset**2 for offset in box.offsets())) <= support
        width = [(n // 2, n // 2) for n in box.shape]
        if periodic:
            return cls(np.pad(ideal, width, mode="wrap"), disc)
        return cls(np.pad(ideal, width, constant_values=np.nan), disc)

    def windows(self, centres: Rows) -> FloatArray:
        """Return the pixels around each centre, shape (n, pixels); NaN beyond the image."""
        views = np.lib.stride_tricks.sliding_window_view(self.extended, self.disc.shape)
        return views[tuple(centres.T)].reshape(len(centres), -1)

    def levels(self, windows: FloatArray, copy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the mean over the support with the copy in the middle and without it."""
        within = windows[:, self.disc.ravel()]
        seen = np.isfinite(within)
        total = np.where(seen, within, 0.0).sum(axis=1) / seen.sum(axis=1)
        return total, total - seen @ copy[self.disc] / seen.sum(axis=1)


@dataclass(frozen=True)
class _PixelNoise:
    """A detection as it acts on a box around a copy: of white noise `dark` is one number."""

    gain: float
    dark: FloatArray | float
    slope: float

    @classmethod
    def of(cls, detection: Detection, image: Grid, box: Grid) -> _PixelNoise:
        white = float(np.ptp(detection.dark)) <= WHITE * float(detection.dark.max())
        dark = float(detection.dark.flat[0]) if white else sampled_spectrum(detection.dark, image)(box)
        return cls(detection.gain, dark, detection.slope)

    @property
    def silent(self) -> bool:
        """Whether there is no noise: everything can then be known exactly."""
        return self.slope == 0 and not np.any(self.dark)

    def information(self, changes: Mapping[str, FloatArray], windows: FloatArray, level: float) -> FloatArray:
        """Return what the pixels of every window tell about the copy in its middle, shape (n, p, p)."""
        images = self.gain * np.stack(list(changes.values()))
        weights = np.isfinite(windows)
        if not isinstance(self.dark, float):
            images = whitened(images, self.dark + self.slope * level)
        elif not self.silent:
            variance = self.dark + self.slope * np.where(weights, windows, 0.0)
            weights = weights / np.maximum(variance, DARKEST * variance.max(axis=1, keepdims=True))
        flat = images.reshape(len(images), -1)
        i, j = np.triu_indices(len(flat))
        information = np.empty((len(windows), len(flat), len(flat)))
        information[:, i, j] = information[:, j, i] = weights @ (flat[i] * flat[j]).T
        return information
