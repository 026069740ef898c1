"""Named random streams: every (stage, name, replicate) draws from a generator of its own.

A stream depends on the scenario's seed and on its own name alone, so adding a picker, a sweep
axis or a replicate changes no other stream. Names go through SHA-256, never Python's salted
``hash()``.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """Return the generator that belongs to a name.

    Parameters
    ----------
    seed : int
        The scenario's seed, ≥ 0.
    *name : str or int
        Stage, component and replicate, for example ``("noise", "shot", 3)``.
    """
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))
