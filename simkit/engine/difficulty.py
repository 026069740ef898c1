"""What makes each copy hard: its surroundings, and what physics lets anyone know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.tables import Placements, Truth
from simkit.engine import imaging
from simkit.engine.appearance import may_lie_at_any_angle
from simkit.engine.detection import Detection, PixelNoise
from simkit.scenario.spec import Scenario
from simkit.theory.fisher import copy_limits, derivatives_of

Rows = npt.NDArray[np.intp]

COLUMNS = ("background", "d_prime", "sigma_y", "sigma_x", "sigma_psi")
"""Columns of the truth that need the image."""

MARGIN = 4
"""Pixels around the support and the reach of the optics: four standard deviations of a drawn shape's edge."""

CHUNK = 2**20
"""Pixels of the windows that are looked at at once: 8 MiB."""


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
    neither its energy nor that of its derivatives. Only what the border cuts is drawn where it is. Where
    noise is independent from pixel to pixel its variance is that of each pixel, other copies included.
    Otherwise it is stationary, at the mean level around the copies of a pose, and a copy cut by the border
    keeps the share of its whitened image that is left: the border's own effect on whitening is neglected.
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
    noise = PixelNoise.of(detection, image, box)
    places = np.stack(image.indices(*copies.positions(image.ndim)), axis=1)
    centres = np.rint(places).astype(int)
    cut = around.cut(centres)
    background = np.empty(len(copies))
    information: list[FloatArray] = []
    order: list[Rows] = []
    parameters: list[str] = []
    for alike, spectrum in _drawn(scenario, name, copies, box):
        changes = derivatives_of(spectrum, box, transfer=factor)
        images = np.stack(list(changes.values()))
        parameters = list(changes)
        for part in _parts(alike, cut[alike], most=-(-CHUNK // box.size)):
            seen = _moved(images, box, (places - centres)[part[0]]) if cut[part[0]] else images
            windows = around.windows(centres[part])
            total, background[part] = around.levels(windows, seen[parameters.index("amplitude")])
            information.append(noise.information(seen, windows, float(total.mean())))
            order.append(part)
    found = {"background": background}
    if not noise.silent:
        whole = np.concatenate(information)[np.argsort(np.concatenate(order))]
        any_angle = may_lie_at_any_angle(scenario.specimen[name], copies)
        found |= _limits(whole, parameters, any_angle=any_angle)
    return found


def _moved(images: FloatArray, box: Grid, pixels: FloatArray) -> FloatArray:
    ramp = fourier.phase_ramp(box, (pixels * box.pixel_size).tolist())
    return fourier.inverse(fourier.forward_stack(images, box.shape) * ramp, box.shape)


def _parts(alike: Rows, cut: npt.NDArray[np.bool_], most: int) -> list[Rows]:
    """Split the rows of one pose into those that share a drawing, and each that the border cuts."""
    whole = alike[~cut]
    shared = [whole[i : i + most] for i in range(0, len(whole), most)]
    return shared + [alike[i : i + 1] for i in np.flatnonzero(cut)]


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
    periodic: bool

    @classmethod
    def of(cls, ideal: FloatArray, box: Grid, support: float, *, periodic: bool) -> _Surroundings:
        disc = np.sqrt(sum(offset**2 for offset in box.offsets())) <= support
        width = [(n // 2, n // 2) for n in box.shape]
        if periodic:
            return cls(np.pad(ideal, width, mode="wrap"), disc, periodic)
        return cls(np.pad(ideal, width, constant_values=np.nan), disc, periodic)

    def cut(self, centres: Rows) -> npt.NDArray[np.bool_]:
        """Tell around which centres the border of the image cuts the support."""
        if self.periodic:
            return np.zeros(len(centres), bool)
        half = np.array(self.disc.shape) // 2
        reach = [int(np.ptp(indices)) // 2 for indices in np.nonzero(self.disc)]
        last = np.array(self.extended.shape) - 1 - 2 * half
        near = (centres < reach) | (centres > last - reach)
        return np.asarray(near.any(axis=1))

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
