from hypothesis import given
from hypothesis import strategies as st

from queuectl.console.widgets.window import Window


def test_a_short_list_needs_no_line_for_what_is_hidden():
    window = Window(count=5, lines=5)
    assert (window.overflows, window.body, window.below) == (False, 5, 0)


def test_a_long_list_gives_its_last_line_to_the_count():
    window = Window(count=17, lines=6)
    assert (window.overflows, window.body, window.below) == (True, 5, 12)


def test_it_scrolls_only_as_far_as_it_must():
    window = Window(count=20, lines=6, top=3)
    assert window.showing(5).top == 3
    assert window.showing(8).top == 4
    assert window.showing(1).top == 1


@given(count=st.integers(0, 50), lines=st.integers(0, 20), top=st.integers(-5, 80), index=st.integers(0, 49))
def test_a_shown_row_is_in_sight_and_nothing_lies_beyond_the_end(count: int, lines: int, top: int, index: int):
    window = Window(count, lines).at(top)
    assert 0 <= window.top <= max(0, count - window.body)
    assert window.top + min(window.body, count) + window.below == count or lines == 0
    if lines and index < count:
        assert window.showing(index).shows(index)
