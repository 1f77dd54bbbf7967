"""How the fleet screen divides the terminal."""

from __future__ import annotations

from dataclasses import dataclass

BARS = 3
"""Header, alert line and footer."""
MIN_COLUMNS = 30
MIN_ROWS = 6
WIDE_COLUMNS = 100
CHART_ROWS = 8
TALL_CHART_ROWS = 10
MOST_CHART_ROWS = 16
TALLEST_CHART_ROWS = 22
PLOTS_FROM_ROWS = 30
"""Below this a table's rows are worth more."""
EVENT_ROWS = 5
"""With the heading above them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Heights in rows, the table's with its heading; `charts` is how many stand side by side."""

    table: int
    charts: int = 0
    chart_rows: int = 0
    """Of one line of charts."""
    event_rows: int = 0
    chart_lines: int = 1
    """Lines of charts below each other."""


def too_small(columns: int, rows: int) -> bool:
    """Nothing useful fits: the screen says so instead."""
    return columns < MIN_COLUMNS or rows < MIN_ROWS


def fleet_layout(columns: int, rows: int, queues: int, events: int) -> Layout:
    """80×24: the table and one plot; 120×40: everything; less: the table alone."""
    body = rows - BARS
    wanted = max(queues, 1) + 1
    if body < CHART_ROWS + 5:
        return Layout(max(body, 1))
    if columns < WIDE_COLUMNS or body < TALL_CHART_ROWS + EVENT_ROWS + 8:
        return _one_plot(body, wanted)
    table = min(wanted, body - TALL_CHART_ROWS - EVENT_ROWS)
    rest = body - table
    room = rest - max(events + 1, EVENT_ROWS)
    lines = 2 if room >= 2 * MOST_CHART_ROWS else 1
    chart_rows = max(TALL_CHART_ROWS, min(TALLEST_CHART_ROWS, room // lines))
    return Layout(table, 3, chart_rows, rest - lines * chart_rows, lines)


def _one_plot(body: int, wanted: int) -> Layout:
    table = min(wanted, body - CHART_ROWS)
    rest = body - table
    events = rest - MOST_CHART_ROWS
    return Layout(table, 1, MOST_CHART_ROWS, events) if events >= 3 else Layout(table, 1, rest)


def plots_below(columns: int, rows: int, most: int) -> tuple[int, int]:
    """How many plots stand below a table, and how high they are."""
    if rows < PLOTS_FROM_ROWS:
        return 0, 0
    return (most if columns >= WIDE_COLUMNS else 1), (TALL_CHART_ROWS if rows < 50 else MOST_CHART_ROWS)
