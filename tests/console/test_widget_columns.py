from hypothesis import given
from hypothesis import strategies as st

from queuectl.console.widgets.columns import Layout, fit
from queuectl.console.widgets.rows import Column

COLUMNS = [
    Column("name", "NAME", 10, flexible=True),
    Column("class", "CLASS", 8, priority=3),
    Column("depth", "DEPTH", 8, "right"),
    Column("in", "IN/s", 6, "right", priority=1),
    Column("failed", "FAILED", 6, "right", priority=2),
]
ALL = 10 + 8 + 8 + 6 + 6 + 4


def _fit(width: int, **more: object) -> Layout:
    return fit(COLUMNS, width, left=1, sign_width=6, **more)  # type: ignore[arg-type]


def _keys(layout: Layout) -> list[str]:
    return [placed.column.key for placed in layout.placed]


def test_everything_fits():
    layout = _fit(ALL + 1)
    assert _keys(layout) == ["name", "class", "depth", "in", "failed"]
    assert layout.hidden == 0
    assert layout.placed[0].x == 1


def test_the_highest_priority_number_goes_first():
    assert _keys(_fit(ALL)) == ["name", "depth", "in", "failed"]
    assert _keys(_fit(36)) == ["name", "depth", "in"]
    assert _keys(_fit(26)) == ["name", "depth"]
    assert _fit(26).hidden == 3


def test_a_dropped_column_leaves_room_for_the_sign():
    assert _fit(ALL).placed[-1].end <= ALL - 6


def test_spare_cells_go_between_columns_and_then_to_the_flexible_one():
    layout = _fit(ALL + 1 + 4 + 20)
    assert layout.placed[0].width == 30
    assert layout.placed[-1].end == ALL + 1 + 4 + 20
    assert layout.placed[1].x - layout.placed[0].end == 2


def test_the_sort_arrow_gets_its_cell():
    tight = [Column("depth", "DEPTH", 5, "right")]
    assert fit(tight, 20, left=0, sign_width=6, sorted_key="depth").placed[0].width == 6


def test_steps_bring_every_hidden_column_into_view():
    first = _fit(36)
    assert first.last_step > 0
    seen = {key for step in range(first.last_step + 1) for key in _keys(_fit(36, step=step))}
    assert seen == {column.key for column in COLUMNS}
    for step in range(first.last_step + 1):
        assert {"name", "depth"} <= set(_keys(_fit(36, step=step)))


def test_a_step_too_far_is_the_last_one():
    assert _fit(36, step=99) == _fit(36, step=_fit(36).last_step)


def test_a_cell_belongs_to_the_column_before_its_gap():
    layout = _fit(ALL + 1)
    assert layout.at(layout.placed[1].x - 1) is COLUMNS[0]
    assert layout.at(layout.placed[1].x) is COLUMNS[1]
    assert layout.at(0) is None


@given(width=st.integers(1, 120), step=st.integers(0, 6))
def test_columns_never_overlap_or_leave_the_table(width: int, step: int):
    layout = _fit(width, step=step)
    assert layout.hidden == len(COLUMNS) - len(layout.placed)
    for before, after in zip(layout.placed, layout.placed[1:], strict=False):
        assert before.end < after.x
    if width > 8:
        assert layout.placed[-1].end <= width
