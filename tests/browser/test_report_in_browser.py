"""The report in a browser: opens from disk, runs no script, asks for nothing, complains of nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simkit.reports.page import render

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from report_extras import judged_in_full
from report_fixture import finished, line, picker, plane

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a `chromium` on the path")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
NO_SCRIPTS = {"profile": {"default_content_setting_values": {"javascript": 2}}}
WIDTH, HEIGHT = 1200, 6000


def shown(page: str, folder: Path) -> tuple[np.ndarray, list[str]]:
    """Open a page from disk; return the screenshot and what the console said."""
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "profile" / "Default").mkdir(parents=True)
    (folder / "profile" / "Default" / "Preferences").write_text(json.dumps(NO_SCRIPTS))
    command = [
        str(CHROMIUM),
        *ARGUMENTS,
        f"--user-data-dir={folder / 'profile'}",
        f"--screenshot={folder / 'page.png'}",
        f"--window-size={WIDTH},{HEIGHT}",
        (folder / "report.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    with Image.open(folder / "page.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    return pixels, re.findall(r"CONSOLE.*", done.stderr)


def share_of(pixels: np.ndarray, colour: str) -> float:
    """Share of the pixels that are exactly of a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((pixels == wanted).all(axis=2).mean())


def test_page_in_two_dimensions(tmp_path: Path) -> None:
    pickers = {"near": picker()}
    expect = [{"picker": "near", "metric": "recall", "at_least": 0.1}]
    result = finished(plane(pickers=pickers, expect=expect), measured=True)
    pixels, console = shown(render(result, command="simkit run x.yaml"), tmp_path)
    assert console == []
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    # Green wash of a passed verdict, and the marks of found, false and missed particles.
    assert share_of(pixels, "#e3f5ee") > 0.01
    for colour in ("#56b4e9", "#d55e00", "#e69f00"):
        assert share_of(pixels, colour) > 1e-5, colour


def test_page_that_says_everything(tmp_path: Path) -> None:
    result = judged_in_full(finished(plane(pickers={"near": picker(), "far": picker()})))
    pixels, console = shown(render(result, command="simkit run x.yaml"), tmp_path)
    assert console == []
    # The ideal observer's grey lies in the curves.
    assert share_of(pixels, "#a6a6a6") > 1e-5


def test_page_in_one_dimension(tmp_path: Path) -> None:
    pixels, console = shown(
        render(finished(line(pickers={"near": picker()})), command="simkit run x.yaml"), tmp_path
    )
    assert console == []
    assert pixels.std() > 20


def test_the_console_would_tell_of_an_outside_request(tmp_path: Path) -> None:
    page = render(finished(line()), command="simkit run x.yaml")
    intruded = page.replace("<main>", '<main><img src="http://localhost:9/x.png" alt="">')
    _, console = shown(intruded, tmp_path)
    assert any("Content Security Policy" in message for message in console)


def test_scripts_are_off(tmp_path: Path) -> None:
    scripted = "<body style='background: #0f0'><script>document.body.style.background = '#f00'</script>"
    pixels, _ = shown(scripted, tmp_path)
    assert pixels[HEIGHT // 2, WIDTH // 2].tolist() == [0, 255, 0]
