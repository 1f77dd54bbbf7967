from datetime import UTC
from typing import Any

from queuectl.console.glyphs import ASCII, UNICODE
from queuectl.console.widgets.plot import Line, Style, draw
from queuectl.console.widgets.raster import Raster
from queuectl.console.widgets.series import Mark, Picture, Series
from queuectl.console.widgets.stack import stacked

BRAILLE = Style(UNICODE)
PLAIN = Style(ASCII)
END_S = 1_700_000_100.0


def _text(lines: tuple[Line, ...]) -> list[str]:
    return ["".join(text for text, _, _ in line) for line in lines]


def _flat(value: float | None, name: str = "forum", tone: str = "series-1") -> Series:
    return Series(name, tone, [(END_S - 99 + second, value) for second in range(100)])


def _picture(*series: Series, unit: str = "", marks: tuple[Mark, ...] = (), **more: Any) -> Picture:
    return Picture(series, marks, END_S, 100.0, unit, **more)


def _dots(lines: list[str]) -> int:
    return sum((ord(char) - 0x2800).bit_count() for line in lines for char in line if 0x2800 <= ord(char) < 0x2900)


def test_axes_and_legend_are_in_real_units():
    lines = _text(draw(_picture(_flat(48_112)), 40, 9, BRAILLE))
    assert lines[0] == "─ forum 48.1k"
    assert lines[1].startswith("50k┤")
    assert lines[7].startswith("  0┤")
    assert lines[8].split() == ["-1m40s", "-50s", "now"]
    assert [line[3] for line in lines[1:8]] == list("┤││┤││┤")


def test_the_axis_of_seconds_counts_minutes():
    lines = _text(draw(_picture(_flat(1068), unit="s"), 40, 9, BRAILLE))
    assert "17m" in lines[0]
    assert lines[1].startswith("20m┤")


def test_clock_times_on_the_axis():
    lines = _text(draw(_picture(_flat(1)), 40, 9, Style(UNICODE, clock=True, zone=UTC)))
    assert lines[-1].split() == ["22:13:20", "22:14:10", "22:15:00"]


def test_a_single_spike_survives_downsampling():
    points = [(END_S - 3600 + second, 1000.0 if second == 1777 else 0.0) for second in range(3600)]
    picture = Picture((Series("forum", "series-1", points),), (), END_S, 3600.0)
    top_line = _text(draw(picture, 30, 9, BRAILLE))[1]
    assert _dots([top_line]) > 0


def test_a_gap_stays_empty():
    whole = Series("a", "series-1", [(END_S - 99 + second, 5.0) for second in range(100)])
    points = [(at, None if 20 < index < 80 else value) for index, (at, value) in enumerate(whole.points)]
    gapped = _text(draw(_picture(Series("a", "series-1", points)), 40, 9, BRAILLE))
    assert _dots(gapped) < _dots(_text(draw(_picture(whole), 40, 9, BRAILLE))) / 2


def test_missing_samples_are_a_gap_where_they_are_far_apart():
    points = [(END_S - 99 + second, 5.0) for second in range(100) if not 20 < second < 80]
    joined = _text(draw(_picture(Series("a", "series-1", points)), 40, 9, BRAILLE))
    gapped = _text(draw(_picture(Series("a", "series-1", points), gap_s=25.0), 40, 9, BRAILLE))
    assert _dots(gapped) < _dots(joined) / 2


def test_a_share_has_an_axis_to_100_percent():
    lines = _text(draw(_picture(_flat(0.25), unit="%", most=1.0), 40, 9, BRAILLE))
    assert lines[0] == "─ forum 25%"
    assert lines[1].startswith("100%┤")
    assert lines[7].startswith("  0%┤")


def test_layers_stand_upon_each_other_and_differ_without_colour():
    parts = (_flat(40, "primary"), _flat(30, "surge", "series-2"), _flat(30, "overflow", "series-3"))
    lines = _text(draw(_picture(*parts, stacked=True), 60, 12, BRAILLE))
    assert lines[0] == "⣿ primary 40  ⡪ surge 30  ⡂ overflow 30"
    assert lines[1].startswith("100┤")
    column = [line[30] for line in lines[1:11]]
    assert column[-2:] == ["⣿", "⣿"]
    assert "⡪" in column
    assert "⡂" in column
    plain = _text(draw(_picture(*parts, stacked=True), 60, 12, PLAIN))
    assert "".join(line[30] for line in plain[1:11]) == "...++#####"
    assert plain[0] == "# primary 40  + surge 30  . overflow 30"


def test_a_layer_without_anything_takes_no_room_and_a_gap_in_one_is_a_gap_above():
    parts = (_flat(10, "primary"), _flat(0, "surge", "series-2"), _flat(None, "overflow", "series-3"))
    drawn = draw(_picture(*parts, stacked=True), 40, 9, BRAILLE)
    assert {tone for line in drawn[1:8] for text, tone, _ in line if text.strip()} == {"muted", "series-1"}
    assert [value for _, value in stacked(parts)[2].points] == [None] * 100
    assert [value for _, value in stacked(parts)[1].points] == [10] * 100


def test_a_thin_layer_on_a_thick_one_keeps_its_colour():
    parts = (_flat(98, "delivered"), _flat(2, "throttled", "series-2"))
    drawn = draw(_picture(*parts, stacked=True), 60, 12, BRAILLE)
    assert "series-2" in {tone for line in drawn[1:11] for _, tone, _ in line}


def test_sparse_points_are_joined():
    points = [(END_S - 99, 0.0), (END_S, 10.0)]
    lines = _text(draw(_picture(Series("a", "series-1", points)), 43, 9, BRAILLE))
    assert all(_dots([line]) for line in lines[1:8])


def test_a_curve_comes_in_from_a_point_out_of_sight():
    points = [(END_S - 100_000, 0.0), (END_S - 1, 10.0)]
    lines = _text(draw(_picture(Series("a", "series-1", points)), 43, 9, BRAILLE))
    assert _dots([lines[1]]) > 70


def test_old_dots_do_not_move_while_the_newest_column_fills():
    def at(end_s: float) -> list[str]:
        points = [(second, float(int(second) * 7919 % 100)) for second in range(1_000, int(end_s) + 1)]
        return _text(draw(Picture((Series("a", "series-1", points),), (), end_s, 400.0), 44, 9, BRAILLE))

    before, after = at(2_000.0), at(2_001.0)
    assert [line[:-1] for line in before[1:8]] == [line[:-1] for line in after[1:8]]


def test_series_carry_their_tones():
    lines = draw(_picture(_flat(10), _flat(100, "payment", "series-2")), 60, 9, BRAILLE)
    assert {tone for line in lines for text, tone, _ in line if "⠉" in text or "⠒" in text or "⠤" in text} <= {
        "series-1", "series-2"}  # fmt: skip
    assert {tone for _, tone, _ in lines[0]} == {"series-1", "series-2", ""}


def test_ascii_uses_nothing_else_and_one_mark_a_series():
    lines = _text(draw(_picture(_flat(10), _flat(100, "payment", "series-2")), 60, 9, PLAIN))
    assert all(line.isascii() for line in lines)
    assert lines[0].startswith("* forum 10  + payment 100")
    assert "+++" in lines[1]
    assert any("***" in line for line in lines[2:])


def test_markers_stand_at_their_time_with_their_name():
    lines = _text(draw(_picture(_flat(0), marks=(Mark(END_S - 50, "LIFO"),)), 44, 9, BRAILLE))
    column = lines[1].index("┊")
    assert lines[1][column:].startswith("┊LIFO")
    assert all(line[column] == "┊" for line in lines[1:7])
    assert 20 <= column <= 26


def test_markers_outside_are_left_out():
    lines = _text(draw(_picture(_flat(1), marks=(Mark(END_S - 500, "old"), Mark(END_S + 5, "new"))), 44, 9, BRAILLE))
    assert not any("┊" in line for line in lines)


def test_what_automation_did_is_a_tick_and_gives_way_to_an_operators_act():
    lines = _text(draw(_picture(_flat(0), marks=(Mark(END_S - 50, "shed", rule=False),)), 44, 9, BRAILLE))
    column = lines[1].index("▼")
    assert lines[1][column:].startswith("▼shed")
    assert all("▼" not in line for line in lines[2:])
    both = (Mark(END_S - 50, "LIFO"), Mark(END_S - 50, "shed", rule=False))
    assert "┊LIFO" in _text(draw(_picture(_flat(0), marks=both), 44, 9, BRAILLE))[1]


def test_the_legend_cuts_names_and_then_counts_what_it_leaves_out():
    series = [_flat(1, name) for name in ("security", "payment", "forum")]
    wide, narrow, tiny = (_text(draw(_picture(*series), width, 9, BRAILLE))[0] for width in (60, 30, 16))
    assert wide == "─ security 1  ─ payment 1  ─ forum 1"
    assert narrow == "─ secu… 1 ─ paym… 1 ─ forum 1"
    assert tiny == "─ securi… 1 +2 ›"


def test_no_data_says_so():
    assert any("no data yet" in line for line in _text(draw(_picture(), 40, 9, BRAILLE)))
    assert any("no data yet" in line for line in _text(draw(_picture(_flat(None)), 40, 9, BRAILLE)))


def test_values_that_are_no_numbers_are_gaps():
    lines = _text(
        draw(_picture(Series("a", "series-1", [(END_S - 2, float("inf")), (END_S - 1, 3.0)])), 40, 9, BRAILLE)
    )
    assert _dots(lines) == 1


def test_every_size_gives_exactly_its_lines():
    picture = _picture(_flat(3), _flat(7, "payment"), marks=(Mark(END_S - 10, "x"),))
    for style in (BRAILLE, PLAIN):
        for width in (0, 1, 3, 11, 12, 40):
            for height in range(8):
                lines = _text(draw(picture, width, height, style))
                assert len(lines) == height
                assert all(len(line) <= width for line in lines)


def test_what_is_drawn_first_stays_on_top():
    raster = Raster(2, 1, ascii=False)
    raster.draw(0, [[(0, 0)]])
    raster.draw(1, [[(1, 3), (3, 3)]])
    assert raster.cell(0, 0) == ("\u2848", 0)
    assert raster.cell(1, 0)[1] == 1
