import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.console.widgets.scale import ago, axis_top, label


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0, "", "0"), (0.5, "/s", "0.5/s"), (12, "", "12"), (950, "", "950"), (1200, "", "1.2k"), (48112, "", "48.1k"),
     (999_960, "", "1M"), (1_200_000, "", "1.2M"), (412_330, "", "412k"), (0.3, "s", "0.3s"), (45, "s", "45s"),
     (90, "s", "1m30s"), (1068, "s", "17m"), (9000, "s", "2h30m"), (86_400, "s", "1d")],
)  # fmt: skip
def test_labels_are_short_and_in_real_units(value: float, unit: str, shown: str):
    assert label(value, unit) == shown


def test_relative_times():
    assert [ago(0), ago(30), ago(300)] == ["now", "-30s", "-5m"]


@pytest.mark.parametrize(
    ("value", "unit", "top"),
    [(0, "", 1), (7, "", 8), (48_112, "", 50_000), (100, "", 100), (101, "", 150), (1068, "s", 1200), (50, "s", 60),
     (200_000, "s", 259_200), (0.3, "s", 0.3)],
)  # fmt: skip
def test_axes_end_at_round_numbers(value: float, unit: str, top: float):
    assert axis_top(value, unit) == pytest.approx(top)


@given(value=st.floats(1e-6, 1e12), unit=st.sampled_from(["", "s"]))
def test_the_axis_holds_the_value_without_wasting_half_of_it(value: float, unit: str):
    top = axis_top(value, unit)
    assert top >= value * (1 - 1e-9)
    assert top <= value * 3.1
