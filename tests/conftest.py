"""How tests share the machine: a file of tests stays in one process, and each process keeps to one core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

LONGEST = (
    "test_scenarios",
    "test_sweep",
    "test_picker",
    "test_theory_scenarios",
    "test_pick_uncertainty",
    "test_suite_plugin",
    "test_picker_repository",
    "test_report",
    "test_new_from_map",
    "test_search",
    "test_suite",
    "test_cli",
    "test_real_micrographs",
    "test_sweep_cluster",
)
"""Files that take longest, which go first: for one that came last the other processes would wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files in front; all others stay in order."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to xdist's workers, so that what tests of a file share is made once."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # those of many tests are not those that take long
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def one_core() -> Iterator[None]:
    """Have runs that are not told how many processes to start take one, as if the machine had one core.

    Each process would load simkit anew, for micrographs that are searched in less time, and xdist has filled
    the cores. Tests that are about several processes ask for them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        yield
