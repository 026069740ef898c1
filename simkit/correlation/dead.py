"""Dead pixels: what they hold is the detector's own, and far from what is around them.

Two sorts are told from what a specimen and its noise can give. A patch of one exact value, the lowest or the
highest of the image, with more equal pixels in a row than noise ever makes, and with straight sides or in a
corner of the image: dead columns and blocks, borders filled up with zeros; what is round may be a thing that
saturates the detector. And a lone pixel beyond all that noise reaches. Either must stand out by a jump: the
image of a thing, be it a bead of gold or an atom, passes over into its surroundings, so that the pixels
beside it are not like those farther off. Where pixels do not differ as noise differs, in a drawing or a
denoised micrograph, everything may be meant, and nothing is dead. So it is with zeros where fewer than four
electrons are counted to a pixel, and with pixels that touch and are off by an amount of their own each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simkit.core.grid import FloatArray

CHANCE = 1e-3
"""Chance, at most, that noise alone has such a run, or a pixel beyond its reach, anywhere in an image; that
there is a jump as well is rarer by far."""

TAIL = 0.01
"""Share of the pixels beyond the quantile that tells how far noise reaches; as many may be far off."""

SAMPLED = 2**17
"""Pixels that the law of the noise is learned from: its quantiles are then off by 3 % of their share."""

FEWEST = 100
"""Pixels of which nothing can be learned if there are no more."""

NOISY = 0.6
"""Difference of neighbours, relative to that of pixels two apart, that speaks of noise: it is 1 in white
noise and a half or less where all is smooth."""

FAR = 2.0
"""Standard deviations of the noise that dead pixels are off what is around them, at least. Where zero is
nearer to the mean count, dark particles have patches of zeros too."""

LEAK = 1 / 6
"""Share of the jump, at most, that the pixels beside it may be off those farther away. A point seen through
optics with a spot of 1.4 pixels, half maximum, gives its neighbours more, and an edge half of it."""

SURE = 2.0
"""Standard deviations by which they are less, or else it is not known."""

MOST = 0.5
"""Share of an image that has one value from which on that is the ground, and not dead."""

STRAIGHT = 6.0
"""Pixels from corner to corner of a patch's outline, on average, at least: a disk has about two, unless it is
so small that it is a square."""

MANY = 2000
"""Patches of one value from which on it is no defect."""

ROUNDS = 4
"""How often, when dead pixels are found, others are looked for behind them."""

Mask = npt.NDArray[np.bool_]
_Real = FloatArray | float


def dead_pixels(pixels: FloatArray, known: Mask) -> Mask:
    """Tell which pixels are dead.

    Parameters
    ----------
    pixels : array
        Any real type.
    known : array of bool
        Where they have a value.

    Returns
    -------
    array of bool
        The same for a·pixels + b, and for turned images of up to `SAMPLED` pixels.

    Notes
    -----
    *How far noise reaches.* The law of the noise of one pixel is taken to be log-concave, as Gauss's and
    Poisson's are and all sums of such. With m the median and q the quantile beyond which a share p lies, no
    more than ½ (2p)^K lies beyond m + K (q − m), for the logarithm of that share is concave [1]_. K makes
    this, times the pixels, a fraction of `CHANCE`: at 4096² pixels that is 15 σ of Gaussian noise.

    *How many equal pixels in a row.* Where a share p of the pixels has a value, n independent ones in a row
    all have it with a chance of pⁿ. The dead ones are counted in p, so that of an image of continuous values
    three in a row are enough where few are dead, and more where many are.

    References
    ----------
    .. [1] Bagnoli & Bergstrom, Econ. Theory 26 (2005) 445: the survival function of a log-concave law is
       log-concave.
    """
    dead = np.zeros(pixels.shape, bool)
    for _ in range(ROUNDS if dead.size else 0):
        found = _outermost(pixels, known)
        if not found.any():
            break
        dead |= found
        known = known & ~found
    return dead


def _outermost(pixels: FloatArray, known: Mask) -> Mask:
    """Return the dead among the pixels of lowest and highest value, and beyond the reach of noise."""
    dead = np.zeros(pixels.shape, bool)
    ends = _ends(pixels, known)
    values, noise = _ordinary(pixels, known, ends)
    if noise == 0:
        return dead
    for end in dict.fromkeys(ends):
        same = pixels == end
        for part, patch in _patches(same, _equal_in_a_row(int(np.count_nonzero(same)), pixels.size)):
            shaped = _is_straight(patch) or _has_a_corner(patch, part, pixels.shape)
            if shaped and _jumps_out(pixels[part], patch, known[part], float(end), noise):
                dead[part] |= patch
    low, high = -_reach(-values, pixels.size), _reach(values, pixels.size)
    if float(ends[0]) < low or float(ends[1]) > high:
        beyond = ((pixels < low) | (pixels > high)) & known
        lone = _lone(pixels, beyond, known & ~dead, noise)
        dead[tuple(lone.T)] = True
    return dead


def _ends(pixels: FloatArray, known: Mask) -> tuple[float, float]:
    values = pixels if known.all() else pixels[known]
    return (values.min(), values.max()) if values.size else (0.0, 0.0)


def _ordinary(pixels: FloatArray, known: Mask, ends: tuple[float, float]) -> tuple[FloatArray, float]:
    """Return a sample of the values between both ends, and the noise in them; 0 where there is none."""
    step = math.ceil((pixels.size / SAMPLED) ** (1 / pixels.ndim))

    def sample(*start: int) -> tuple[FloatArray, Mask]:
        part = tuple(slice(n, None, step) for n in start)
        values = pixels[part]
        return values.astype(np.float64), known[part] & (values > ends[0]) & (values < ends[1])

    here, ordinary = sample(*[0] * pixels.ndim)
    if ordinary.sum() <= FEWEST:
        return np.zeros(0), 0.0
    differ = []
    for gap in (1, 2):
        steps = []
        for axis in range(pixels.ndim):
            there, also = sample(*[gap if a == axis else 0 for a in range(pixels.ndim)])
            both = tuple(slice(min(n, m)) for n, m in zip(here.shape, there.shape, strict=True))
            steps.append(np.abs(there[both] - here[both])[ordinary[both] & also[both]])
        every = np.concatenate(steps)
        differ.append(float(np.median(every)) if every.size else 0.0)
    noisy = differ[0] > 0 and differ[0] >= NOISY * differ[1]
    # By the mean and not the median, which is a whole number of counts, and off where they are few.
    return here[ordinary], float(every.mean()) * math.sqrt(math.pi) / 2 if noisy else 0.0


def _reach(values: FloatArray, size: int) -> float:
    """Return what noise exceeds nowhere in so many pixels, but for `CHANCE`; see `dead_pixels`."""
    n = len(values)
    tail = max(int(TAIL * n), 1)
    middle, quantile = np.partition(values, [n // 2, n - tail])[[n // 2, n - tail]]
    beyond = int((values >= quantile).sum())
    # What the share may be by three standard deviations, for it is that of a sample.
    share = (beyond + 3 * math.sqrt(beyond)) / n
    if share >= 0.5:
        return math.inf
    return float(middle + max(math.log(2 * size / CHANCE) / -math.log(2 * share), 1.0) * (quantile - middle))


def _equal_in_a_row(count: int, size: int) -> int:
    """Return the length of a run of one value that noise does not make, of a value that some pixels have."""
    share = count / size
    if count < 2 or share > MOST:
        return size
    return max(math.ceil(math.log(4 * size / CHANCE) / -math.log(share)), 2)


def _patches(same: Mask, length: int) -> Iterator[tuple[tuple[slice, ...], Mask]]:
    """Yield connected pixels that hold a run of some length along an axis: where they are, and which there.

    The part of the image reaches two pixels beyond the patch.
    """
    runs = [_runs(same, length, axis) for axis in range(same.ndim) if length <= same.shape[axis]]
    if not any(run.any() for run in runs):
        return
    labels, _ = ndimage.label(same, np.ones((3,) * same.ndim))
    held = np.unique(np.concatenate([labels[tuple(slice(n) for n in run.shape)][run] for run in runs]))
    if len(held) > MANY:
        return
    places = ndimage.find_objects(labels)
    for label in held:
        part = tuple(slice(max(s.start - 2, 0), s.stop + 2) for s in places[label - 1])
        yield part, labels[part] == label


def _runs(same: Mask, length: int, axis: int) -> Mask:
    """Tell where runs of a length begin; the axis is shorter by what no run can begin at."""
    runs, reached = np.moveaxis(same, axis, 0), 1
    while reached < length and runs.any():
        step = min(reached, length - reached)
        runs, reached = runs[: len(runs) - step] & runs[step:], reached + step
    return np.moveaxis(runs, 0, axis)


def _is_straight(patch: Mask) -> bool:
    """Tell whether the outline of a patch has few corners for its length."""
    padded = np.pad(patch, 1)
    length = sum(int(np.count_nonzero(np.diff(padded, axis=axis))) for axis in range(patch.ndim))
    corners = padded
    for axis in range(patch.ndim):
        corners = np.diff(corners, axis=axis)
    return length >= STRAIGHT * int(np.count_nonzero(corners))


def _has_a_corner(patch: Mask, part: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a patch, in a part of an image, has a corner of the image."""
    ends = [
        [end for end, reached in ((0, s.start == 0), (-1, s.stop >= n)) if reached]
        for s, n in zip(part, shape, strict=True)
    ]
    return any(patch[corner] for corner in itertools.product(*ends))


def _jumps_out(pixels: FloatArray, patch: Mask, known: Mask, value: float, noise: float) -> bool:
    beside = _grown(patch)
    around = _grown(beside)
    rings = [pixels[ring & known] for ring in (beside & ~patch, around & ~beside)]
    if not all(ring.size for ring in rings):
        return False
    near, far = (float(ring.mean(dtype=np.float64)) for ring in rings)
    doubt = noise * math.sqrt(sum(1 / ring.size for ring in rings))
    return bool(_is_jump(value, near, far, noise, doubt))


def _is_jump(value: _Real, near: _Real, far: _Real, noise: float, doubt: _Real) -> Mask:
    jump = np.abs(value - far)
    return np.asarray((jump >= FAR * noise) & (np.abs(near - far) + SURE * doubt <= LEAK * jump))


def _grown(mask: Mask) -> Mask:
    """Return a mask and all pixels that touch it."""
    for axis in range(mask.ndim):
        before = np.moveaxis(mask, axis, 0)
        mask = mask.copy()
        after = np.moveaxis(mask, axis, 0)
        after[1:] |= before[:-1]
        after[:-1] |= before[1:]
    return mask


def _lone(pixels: FloatArray, beyond: Mask, known: Mask, noise: float) -> npt.NDArray[np.intp]:
    """Return the places, shape (n, ndim), of pixels beyond the reach of noise whose neighbours are not."""
    places = np.argwhere(beyond & known)
    offsets = np.array(list(itertools.product(range(-2, 3), repeat=pixels.ndim)))
    layer = np.abs(offsets).max(axis=1)
    at = places[:, None] + offsets
    inside = ((at >= 0) & (at < pixels.shape)).all(axis=-1)
    seen = tuple(np.moveaxis(np.clip(at, 0, np.array(pixels.shape) - 1), -1, 0))
    values, far_off = pixels[seen].astype(np.float64), beyond[seen] & inside
    usable = inside & known[seen] & ~far_off
    rings = [usable & (layer == ring) for ring in (1, 2)]
    number = [ring.sum(axis=1) for ring in rings]
    alone = ~(far_off & (layer == 1)).any(axis=1) & (number[0] > 0) & (number[1] > 0)
    near, far = (
        values.sum(axis=1, where=ring) / np.maximum(n, 1) for ring, n in zip(rings, number, strict=True)
    )
    doubt = noise * np.sqrt(sum(1 / np.maximum(n, 1) for n in number))
    return places[alone & _is_jump(values[:, layer == 0][:, 0], near, far, noise, doubt)]
