"""Writers of files that no library at hand writes: odd MRC headers, DM3, DM4, SER, EMD."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SER_SMALL, SER_LARGE = 0x0210, 0x0220


def mrc_bytes(
    pixels: np.ndarray,
    mode: int,
    *,
    order: str = "<",
    stamp: bytes | None = None,
    word: bytes = b"MAP ",
    samples: tuple[int, int, int] | None = None,
    cell: tuple[float, float, float] = (0.0, 0.0, 0.0),
    angles: tuple[float, float, float] = (90.0, 90.0, 90.0),
    axes: tuple[int, int, int] = (1, 2, 3),
    largest: float = 0.0,
    space_group: int = 0,
    extension: bytes = b"",
    imod_flags: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> bytes:
    """Pack an MRC by hand; `shape` is what the header says, that of the pixels by default."""
    nz, ny, nx = (1, 1, 1, *(shape or pixels.shape))[-3:]
    if stamp is None:
        stamp = {"<": b"\x44\x44\0\0", ">": b"\x11\x11\0\0"}[order]
    head = struct.pack(f"{order}10i", nx, ny, nz, mode, 0, 0, 0, *(samples or (nx, ny, nz)))
    head += struct.pack(f"{order}6f3i", *cell, *angles, *axes)
    head += struct.pack(f"{order}3f2i", 0.0, largest, 0.0, space_group, len(extension))
    head = head.ljust(152, b"\0")
    head += b"" if imod_flags is None else struct.pack(f"{order}2i", 1146047817, imod_flags)
    head = head.ljust(208, b"\0") + word + stamp
    return head.ljust(1024, b"\0") + extension + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()


_DM_ENCODED = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7, "u1": 10, "i1": 9}
_DM_PIXELS = {"i2": 1, "f4": 2, "c8": 3, "u1": 6, "i4": 7, "i1": 9, "u2": 10, "u4": 11, "f8": 12}


def dm_bytes(*images: dict[str, Any], version: int = 3, thumbnail: bool = True) -> bytes:
    """Write DM3 or DM4; every image has `pixels`, and may have `scale` and `unit` per axis, x first."""
    wide = "Q" if version == 4 else "I"

    def group(entries: dict[str, Any] | list[Any]) -> bytes:
        named = entries.items() if isinstance(entries, dict) else (("", value) for value in entries)
        body = [entry(name, value) for name, value in named]
        return struct.pack(f">bb{wide}", 1, 0, len(body)) + b"".join(body)

    def entry(name: str, value: Any) -> bytes:
        nested = isinstance(value, (dict, list))
        content = group(value) if nested else data(value)
        size = struct.pack(">Q", len(content)) if version == 4 else b""
        return struct.pack(">BH", 20 if nested else 21, len(name)) + name.encode() + size + content

    def data(value: Any) -> bytes:
        if isinstance(value, str):
            value = np.frombuffer(value.encode("utf-16-le"), "<u2")
        if isinstance(value, np.ndarray):
            code = _DM_ENCODED[value.dtype.str[1:]]
            return b"%%%%" + struct.pack(f">4{wide}", 3, 20, code, value.size) + value.tobytes()
        code, form = (3, "<i") if isinstance(value, int) else (6, "<f")
        return b"%%%%" + struct.pack(f">2{wide}", 1, code) + struct.pack(form, value)

    def image(
        pixels: np.ndarray, scale: tuple[float, ...] = (), unit: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        flat = pixels.ravel().view(np.float32) if pixels.dtype.kind == "c" else pixels.ravel()
        axes = [{"Origin": 0.0, "Scale": s, "Units": u} for s, u in zip(scale, unit, strict=True)]
        axes += [{"Origin": 0.0, "Scale": 1.0, "Units": ""}] * (pixels.ndim - len(axes))
        return {
            "ImageData": {
                "Calibrations": {"Dimension": axes},
                "Data": flat,
                "DataType": _DM_PIXELS[pixels.dtype.str[1:]],
                "Dimensions": [int(n) for n in pixels.shape[::-1]],
            }
        }

    small = image(np.zeros((4, 4), "<i4"))
    small["ImageData"]["DataType"] = 23
    content = group({"ImageList": [*([small] if thumbnail else []), *(image(**one) for one in images)]})
    return struct.pack(f">I{wide}I", version, len(content), 1) + content + bytes(8)


def ser_bytes(
    *images: np.ndarray,
    delta: tuple[float, float] = (1e-10, 1e-10),
    version: int = SER_LARGE,
    kind: int = 0x4122,
) -> bytes:
    """Write SER; the pixels are given as TIA shows them, and stored from the bottom row up."""
    types = {"u1": 1, "u2": 2, "u4": 3, "i1": 4, "i2": 5, "i4": 6, "f4": 7, "f8": 8}
    offset = "q" if version == SER_LARGE else "i"
    elements = []
    for pixels in images:
        ny, nx = pixels.shape
        calibrations = b"".join(struct.pack("<ddi", 0.0, d, 0) for d in delta)
        element = calibrations + struct.pack("<hii", types[pixels.dtype.str[1:]], nx, ny)
        elements.append(element + pixels[::-1].tobytes())
    n = len(images)
    dimension = struct.pack("<iddii", n, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<i", 0)
    head_size = 6 + 16 + struct.calcsize(f"<{offset}") + 4 + len(dimension)
    head = struct.pack("<HHH4i", 0x4949, 0x0197, version, kind, 0x4152, n, n)
    head += struct.pack(f"<{offset}i", head_size, 1) + dimension
    table_size = 2 * n * struct.calcsize(f"<{offset}")
    starts = [head_size + table_size + sum(map(len, elements[:i])) for i in range(n)]
    return head + struct.pack(f"<{2 * n}{offset}", *starts, *[0] * n) + b"".join(elements)


def write_hyperspy(
    file: Path, pixels: np.ndarray, *, scale: float = 0.1, unit: str | None = "nm", title: str = "image"
) -> None:
    """Write an experiment as HyperSpy lays it out, beside those already in the file."""
    with h5py.File(file, "a") as opened:
        group = opened.create_group(f"Experiments/{title}")
        group["data"] = pixels
        for i, n in enumerate(pixels.shape):
            axis = group.create_group(f"axis-{i}")
            axis.attrs.update({"scale": scale, "offset": 0.0, "size": n, "navigate": False})
            if unit is not None:
                axis.attrs["units"] = unit


def write_nexus(file: Path, pixels: np.ndarray, *, step: float = 0.1, unit: str = "nm") -> None:
    """Write an image as NeXus lays it out, reached by the default attributes, with a table beside it."""
    with h5py.File(file, "w") as opened:
        opened.attrs["default"] = "entry"
        entry = opened.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "scan"})
        entry["table"] = np.zeros((9, 2))
        scan = entry.create_group("scan")
        scan.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["y", "x"]})
        scan["counts"] = pixels
        for name, n in zip("yx", pixels.shape, strict=True):
            scan[name] = 5 + step * np.arange(n)
            scan[name].attrs["units"] = unit


def write_berkeley(file: Path, pixels: np.ndarray, *, step: float = 0.1, unit: str = "[n_m]") -> None:
    """Write an image as the EMD of Berkeley lays it out."""
    with h5py.File(file, "w") as opened:
        opened.attrs.update({"version_major": 0, "version_minor": 2})
        group = opened.create_group("data/single")
        group.attrs["emd_group_type"] = 1
        group["data"] = pixels
        for i, n in enumerate(pixels.shape, start=1):
            group[f"dim{i}"] = (step * np.arange(n)).astype(np.float32)
            group[f"dim{i}"].attrs.update({"name": np.bytes_("yx"[i - 1]), "units": np.bytes_(unit.encode())})


def write_velox(
    file: Path, *images: np.ndarray, size: tuple[float, float] = (1e-10, 1e-10), unit: str = "m"
) -> None:
    """Write images as Velox lays them out: frames last, JSON padded with zeros beside each."""
    result = {
        "PixelSize": {"height": str(size[0]), "width": str(size[1])},
        "PixelUnitX": unit,
        "PixelUnitY": unit,
    }
    text = np.frombuffer(json.dumps({"BinaryResult": result}).encode().ljust(600, b"\0"), np.uint8)
    with h5py.File(file, "w") as opened:
        for number, pixels in enumerate(images):
            group = opened.create_group(f"Data/Image/{number:032x}")
            stack = pixels[..., None] if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1)
            group["Data"] = stack
            group["Metadata"] = np.repeat(text[:, None], stack.shape[-1], axis=1)
