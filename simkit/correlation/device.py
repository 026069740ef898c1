"""What a search computes on: the processor, with NumPy and SciPy, or an accelerator, through the array API.

The search itself is written once, in the functions that both have [1]_. They differ in what they are given at
once: on the processor what fits its cache, on an accelerator as much as its share of memory holds.

References
----------
.. [1] Meurer et al., Proc. SciPy (2023): Python Array API Standard.
"""

from __future__ import annotations

import functools
import importlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simkit.core import fourier
from simkit.core.errors import ResourceError
from simkit.core.grid import FloatArray

PROCESSOR = "cpu"
"""The name of the processor that simkit itself runs on."""

TILE = 512
"""Samples along a tile's edge at least, on the processor; more if that is less than eight kernels."""

BLOCK = 8192
"""Places that the processor steers to all angles at once: their scores stay in the cache."""

MEMORY = 2 * 2**30
"""Bytes that one process takes of an accelerator's memory for a search, its libraries not counted. More only
where a tile of two boxes does not fit."""

BATCH = 16
"""Kernels that an accelerator transforms at once."""

FOR_SCORES = 1 / 8
"""Share of an accelerator's memory for the scores of the places that are steered at once."""

Array = Any
Item = TypeVar("Item")


class Device(ABC):
    """Where arrays are, and what computes on them; single precision throughout.

    Attributes
    ----------
    xp : module
        The functions of the array API standard.
    batch : int
        Kernels to transform at once.
    """

    xp: Any
    batch: int

    @abstractmethod
    def put(self, values: FloatArray) -> Array:
        """Bring an array here."""

    @abstractmethod
    def get(self, values: Array) -> FloatArray:
        """Bring an array back, as NumPy's."""

    @abstractmethod
    def empty(self, shape: Sequence[int]) -> Array:
        """Return an array of float32 that holds anything."""

    @abstractmethod
    def forward(self, images: Array, shape: Sequence[int]) -> Array:
        """Return spectra as `fourier.forward_stack` does."""

    @abstractmethod
    def inverse(self, spectra: Array, shape: Sequence[int]) -> Array:
        """Return real images as `fourier.inverse` does."""

    @abstractmethod
    def edges(self, box: Sequence[int], kernels: int) -> list[int]:
        """Return the edges of the tiles for kernels of a box, where the image is no smaller."""

    @abstractmethod
    def block(self, views: int) -> int:
        """Return how many places are steered to so many views at once."""

    @abstractmethod
    def each(self, search: Callable[[Item], None], items: Iterable[Item], *, workers: int) -> None:
        """Do something for every item, in any order; the number of threads changes nothing in it."""


class Processor(Device):
    """NumPy and SciPy, in tiles that fit the cache, which threads share out."""

    xp, batch = np, 1

    def put(self, values: FloatArray) -> Array:
        """See `Device.put`."""
        return values

    def get(self, values: Array) -> FloatArray:
        """See `Device.get`."""
        return values

    def empty(self, shape: Sequence[int]) -> Array:
        """See `Device.empty`."""
        return np.empty(shape, np.float32)

    def forward(self, images: Array, shape: Sequence[int]) -> Array:
        """See `Device.forward`."""
        return fourier.forward_stack(images, shape)

    def inverse(self, spectra: Array, shape: Sequence[int]) -> Array:
        """See `Device.inverse`."""
        return fourier.inverse(spectra, shape)

    def edges(self, box: Sequence[int], kernels: int) -> list[int]:
        """See `Device.edges`."""
        return [max(TILE, 8 * b) for b in box]

    def block(self, views: int) -> int:
        """See `Device.block`."""
        return BLOCK

    def each(self, search: Callable[[Item], None], items: Iterable[Item], *, workers: int) -> None:
        """See `Device.each`."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(search, items))


@dataclass(frozen=True, eq=False)
class Accelerator(Device):
    """A library of the array API standard with its FFT extension, in tiles as large as memory allows.

    Attributes
    ----------
    xp : module
        The library.
    place : object
        Which of its devices, in its own terms.
    home : callable
        An array of the library → NumPy's.
    memory : int
        Bytes that a search may take.
    """

    xp: Any
    place: Any
    home: Callable[[Array], FloatArray]
    memory: int = MEMORY
    batch: int = BATCH
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def put(self, values: FloatArray) -> Array:
        """See `Device.put`."""
        # A copy, since not every library takes arrays that must not be written.
        return self.xp.asarray(np.array(values, np.float32), device=self.place)

    def get(self, values: Array) -> FloatArray:
        """See `Device.get`."""
        return self.home(values)

    def empty(self, shape: Sequence[int]) -> Array:
        """See `Device.empty`."""
        return self.xp.empty(tuple(shape), dtype=self.xp.float32, device=self.place)

    def forward(self, images: Array, shape: Sequence[int]) -> Array:
        """See `Device.forward`."""
        return self.xp.fft.rfftn(images, s=tuple(shape), axes=tuple(range(-len(shape), 0)))

    def inverse(self, spectra: Array, shape: Sequence[int]) -> Array:
        """See `Device.inverse`."""
        return self.xp.fft.irfftn(spectra, s=tuple(shape), axes=tuple(range(-len(shape), 0)))

    def edges(self, box: Sequence[int], kernels: int) -> list[int]:
        """See `Device.edges`.

        A sample takes 8 bytes for each kernel, half for its spectrum and half for its map, and of those that
        are transformed at once 16 more: the product, the map and what the transform works in.
        """
        samples = self.memory * (1 - FOR_SCORES) / (8 * (kernels + 1) + 16 * self.batch)
        return [max(int(samples ** (1 / len(box))), 2 * b) for b in box]

    def block(self, views: int) -> int:
        """See `Device.block`."""
        return max(int(self.memory * FOR_SCORES / (4 * views)), 1)

    def each(self, search: Callable[[Item], None], items: Iterable[Item], *, workers: int) -> None:
        """See `Device.each`; one at a time, whoever asks, so that memory is enough."""
        for item in items:
            with self._turn:
                search(item)


HOST = Processor()
"""The processor that simkit itself runs on."""


@functools.cache
def device_named(name: str) -> Device:
    """Return what computes under a name.

    Parameters
    ----------
    name : str
        `PROCESSOR`, or a device of PyTorch: ``cuda``, ``cuda:1``, ``xpu``.

    Raises
    ------
    ResourceError
        If it is not there; says what is missing.
    """
    return HOST if name == PROCESSOR else torch_device(name)


def torch_device(name: str) -> Accelerator:
    """Return a device of PyTorch, which may be the processor.

    Raises
    ------
    ResourceError
        If PyTorch or the device is not there.
    """
    try:
        torch = importlib.import_module("torch")
        xp = importlib.import_module("array_api_compat.torch")
    except ImportError as error:
        raise ResourceError(
            f"to search on {name!r}, PyTorch and array-api-compat are needed ({error}); "
            "install them with pip install 'simkit[gpu]'"
        ) from None
    try:
        place = torch.device(name)
        torch.zeros(1, device=place)
    # PyTorch raises an AssertionError where it was built without the device.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ResourceError(
            f"PyTorch has no device {name!r} here ({reason}); leave out the device to search on the processor"
        ) from None
    return Accelerator(xp, place, lambda values: values.cpu().numpy())
