"""Units: what is read, what is refused and what is written, against factors typed from the SI definitions."""

import math
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simkit.core.quantity import (
    ANGLE,
    DIMENSIONS,
    DOSE,
    FREQUENCY,
    LENGTH,
    MASS,
    UNITS_REQUIRED,
    VOLTAGE,
    Length,
    PositiveLength,
    Quantity,
    Symmetry,
    fold,
    shortest,
    wrap_angle,
)

ANGSTROMS = {"1 Å": 1, "1 A": 1, "1 nm": 10, "100 pm": 1, "1 µm": 1e4, "1 um": 1e4, "2.7 mm": 2.7e7}


@pytest.mark.parametrize(("text", "value"), ANGSTROMS.items())
def test_lengths_are_read_in_angstroms(text, value):
    assert LENGTH.parse(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (ANGLE, "180 deg", 180.0),
        (ANGLE, "3.141592653589793 rad", 180.0),
        (ANGLE, "1000 mrad", 180 / math.pi),
        (VOLTAGE, "300000 V", 300.0),
        (VOLTAGE, "0.3 MV", 300.0),
        (DOSE, "2000 e/nm²", 20.0),  # 1 nm² = 100 Å²
        (DOSE, "20 e/A^2", 20.0),
        (MASS, "480000 Da", 480.0),
        (FREQUENCY, "1 1/nm", 0.1),
    ],
)
def test_other_dimensions(dimension, text, value):
    # One multiplication: relative error at most one unit in the last place, 2.2e-16.
    assert dimension.parse(text) == pytest.approx(value, rel=5e-16)


@pytest.mark.parametrize("text", ["1.5 µm", "1.5 μm"])
def test_micro_sign_and_greek_mu_are_the_same(text):
    assert LENGTH.parse(text) == 1.5e4


def test_angstrom_sign_and_letter_are_the_same():
    assert LENGTH.parse("4 \u212b") == LENGTH.parse("4 \u00c5") == 4.0


@pytest.mark.parametrize("text", ["1e1 Å", "10Å", " 10. Å ", "+10 Å", "1.0E+1Å"])
def test_spellings_of_ten(text):
    assert LENGTH.parse(text) == 10.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("4.4", "write `4.4 Å`"),
        ("4.4 kV", "its units are Å"),
        ("wide", "is not a length"),
        ("4,4 Å", "units are"),
    ],
)
def test_what_is_no_length_says_what_would_be(text, told):
    with pytest.raises(ValueError, match=told):
        LENGTH.parse(text)


@given(value=st.floats(allow_nan=False, allow_infinity=False), dimension=st.sampled_from(DIMENSIONS))
def test_written_quantities_read_back_exactly(value, dimension):
    assert dimension.parse(dimension.write(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shortest_is_exact(value):
    assert float(shortest(value)) == value


def test_a_bare_number_is_refused_in_a_file_and_canonical_from_python():
    length = TypeAdapter(Length)
    assert length.validate_python(4.4) == 4.4
    with pytest.raises(ValidationError, match=r"4\.4 has no unit; write `4\.4 Å`"):
        length.validate_python(4.4, context=UNITS_REQUIRED)
    with pytest.raises(ValidationError, match="has no unit"):
        length.validate_python(4.4, context=UNITS_REQUIRED | {"base_dir": "."})


@pytest.mark.parametrize("value", ["1e999 Å", math.nan, math.inf, True, None, [4.4]])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValidationError):
        TypeAdapter(Length).validate_python(value)


@pytest.mark.parametrize("value", ["1e6 mm", "-1e13 Å", "1e-300 Å"])
def test_slips_of_the_pen_are_refused(value):
    with pytest.raises(ValidationError, match="check number and unit"):
        TypeAdapter(PositiveLength).validate_python(value)


@pytest.mark.parametrize("value", ["0 Å", "-1 nm"])
def test_bounds_hold(value):
    with pytest.raises(ValidationError, match="must be more than 0 Å"):
        TypeAdapter(PositiveLength).validate_python(value)


def test_inclusive_bounds_include():
    adapter = TypeAdapter(Annotated[float, Quantity(LENGTH, ge=1, le=2)])
    assert [adapter.validate_python(v) for v in ("1 Å", "2 Å")] == [1.0, 2.0]
    for value, told in (("0.9 Å", "at least 1 Å"), ("2.1 Å", "at most 2 Å")):
        with pytest.raises(ValidationError, match=told):
            adapter.validate_python(value)


@pytest.mark.parametrize(("text", "n"), [("C1", 1), ("C5", 5), ("C24", 24)])
def test_cyclic_symmetries(text, n):
    assert fold(TypeAdapter(Symmetry).validate_python(text)) == n


@pytest.mark.parametrize("text", ["D7", "T", "O", "I"])
def test_point_groups_of_solids_say_nothing_of_one_turn(text):
    assert fold(TypeAdapter(Symmetry).validate_python(text)) == 1


@pytest.mark.parametrize("text", ["C0", "D0", "S4", "c2", "C", "I1", "T2", "C1000"])
def test_other_symmetries_are_refused(text):
    with pytest.raises(ValidationError, match="is not a point group"):
        TypeAdapter(Symmetry).validate_python(text)


@given(st.floats(-1e4, 1e4), st.sampled_from([360.0, 180.0, 72.0]))
def test_wrapped_angles_differ_by_whole_periods(angle, period):
    wrapped = wrap_angle(angle, period)
    assert -period / 2 <= wrapped <= period / 2
    turns = (angle - wrapped) / period
    # |angle| ≤ 1e4 carries rounding of 2e-12.
    assert turns == pytest.approx(round(turns), abs=1e-11)
