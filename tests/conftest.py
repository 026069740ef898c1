"""How tests share the machine: a file of tests stays in one process, and each process keeps to one core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to xdist's workers, so that what tests of a file share is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session", autouse=True)
def one_core() -> Iterator[None]:
    """Have runs that are not told how many processes to start take one, as if the machine had one core.

    Each process would load simkit anew, for micrographs that are searched in less time, and xdist has filled
    the cores. Tests that are about several processes ask for them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        yield
