"""Sixty files broken at random: each is refused with a place, or still valid; none ends in a traceback."""

import random
import re
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from simkit.cli.app import app

ROOT = Path(__file__).parents[2]
GOOD = sorted(
    [*(ROOT / "simkit" / "cli" / "starters").glob("*.yaml"), *(ROOT / "scenarios").glob("lecture/*.yaml")]
)
SEED = 20240607
LOCATED = re.compile(r"broken\.yaml:\d+:\d+: ", re.MULTILINE)

VALUES = [
    ".nan",
    ".inf",
    "-1",
    "0",
    "1e400",
    "9" * 400,
    "null",
    "''",
    "[]",
    "{}",
    "[[[]]]",
    "true",
    "on",
    "5 kV",
]
VALUES += [
    "-3 Å",
    "1e999 Å",
    "nan Å",
    "*nobody",
    "&a [*a]",
    "!!python/name:os.system x",
    '"\\ud800"',
    "\x1b[31m",
    "§",
]
GARBAGE = [b"\x00", b"\xff\xfe", b"\xc3", b"\x1b]0;", b"\r", b"\x80", b"\xe2\x80\xa8", b"\xef\xbf\xbf"]


def delete_line(lines, rng):
    del lines[rng.randrange(len(lines))]


def duplicate_line(lines, rng):
    i = rng.randrange(len(lines))
    lines.insert(i, lines[i])


def swap_lines(lines, rng):
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]


def rename_key(lines, rng):
    change(lines, rng, r"(\w)(\w*):(?= |$)", lambda m: f"{m[2]}{m[1]}:")


def replace_value(lines, rng):
    change(lines, rng, r": ([^\[{,}\]#]+?)(?=[,}\]]|$)", lambda m: f": {rng.choice(VALUES)}")


def change_unit(lines, rng):
    change(
        lines,
        rng,
        r"(\d) ?(Å|kV|µm|mm|°|e/Å²|V)",
        lambda m: m[1] + rng.choice(["", " kV", " Å", " parsec", "°"]),
    )


def change_bracket(lines, rng):
    change(lines, rng, r"[\[\]{}:,]", lambda m: rng.choice(["", "[", "}", ": :", ",", "- "]))


def indent(lines, rng):
    i = rng.randrange(len(lines))
    lines[i] = rng.choice(["\t", " ", "   "]) + lines[i]


def change(lines, rng, pattern, replacement):
    places = [(i, m) for i, line in enumerate(lines) for m in re.finditer(pattern, line.split("#")[0])]
    i, match = rng.choice(places)
    lines[i] = lines[i][: match.start()] + replacement(match) + lines[i][match.end() :]


BREAK = [
    delete_line,
    duplicate_line,
    swap_lines,
    rename_key,
    replace_value,
    change_unit,
    change_bracket,
    indent,
]


def broken(number):
    """Return the content of broken file `number`; the same every time."""
    rng = random.Random(SEED + number)
    lines = rng.choice(GOOD).read_text(encoding="utf-8").splitlines()
    for _ in range(rng.randint(1, 3)):
        (BREAK * 2)[(number + rng.randrange(3)) % len(BREAK)](lines, rng)
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    if number % 6 == 0:
        content = content[: rng.randrange(len(content))]
    if number % 7 == 0:
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.choice(GARBAGE) + content[at:]
    return content


def judge(code, output):
    """Return whether the file was refused; fail on anything but valid or refused with a place."""
    assert "Traceback" not in output
    assert "internal error" not in output
    assert code in (0, 2)
    if code == 2:
        first = output.lstrip().split("\n", 1)[0]
        assert LOCATED.search(first), output
    return code == 2


def test_sixty_broken_files_are_refused_with_a_place_or_still_valid(tmp_path):
    runner = CliRunner()
    file = tmp_path / "broken.yaml"
    refused = 0
    for number in range(60):
        file.write_bytes(broken(number))
        result = runner.invoke(app, ["check", str(file)])
        refused += judge(result.exit_code, result.output)
    # Otherwise the files are not broken and this test proves nothing.
    assert refused > 40


def test_so_does_the_program_itself(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_bytes(broken(7))
    done = subprocess.run(
        [sys.executable, "-c", "from simkit.cli.main import main; main()", "check", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    judge(done.returncode, done.stdout + done.stderr)
