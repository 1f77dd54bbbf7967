"""Pictures to rows and words: pure functions on the fixed deployment."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC

import pytest

from queuectl.console import fixed
from queuectl.console.glyphs import ASCII
from queuectl.console.picture import Picture
from queuectl.console.view import Look, line_text
from queuectl.console.view.charts import span_s
from queuectl.console.view.fleet import COLUMNS, row
from queuectl.console.view.header import alert, header, short_address
from queuectl.console.view.layout import fleet_layout, too_small
from queuectl.console.view.select import SORT_KEYS, Order, filter_queues, first_order, sort_queues
from queuectl.console.widgets.series import Series
from queuectl.model import (
    Control,
    FleetState,
    Ledger,
    LedgerState,
    QueueState,
    ServerState,
    Switch,
)
from queuectl.settings.model import EnvironmentSettings

LOOK = Look(zone=UTC)
FLEET = fixed.fleet()
FRESH = Picture(FLEET)


def queue(name: str) -> QueueState:
    found = FLEET.queue(name)
    assert found is not None
    return found


def texts(name: str) -> dict[str, str]:
    return {key: cell.text for key, cell in row(queue(name), LOOK).cells.items()}


# The fleet table.


def test_a_drowning_queue() -> None:
    assert texts("forum") == {
        "queue": "▲ forum",
        "state": "growing",
        "class": "bulk",
        "direction": "LIFO o",
        "shed": "on o",
        "depth": "48,112",
        "trend": "▄▅▆▇█",
        "in": "5,012",
        "out": "600",
        "oldest": "17m48s",
        "wait": "1.1s",
        "eta": "never",
        "surge": "412,330",
        "overflow": "744,000",
        "failed": "12",
        "workers": "12 · 97%",
        "in_flight": "564",
        "shed_stored": "12,480",
        "ledger": "✓",
        "scheduled": "210",
        "deferred": "–",
        "max_age": "4h",
        "provider": "ses",
    }


def test_an_assisted_queue_shows_estimates_as_such_and_the_unknown_as_unknown() -> None:
    cells = texts("legacy")
    assert (cells["queue"], cells["class"], cells["in"], cells["eta"]) == ("◌ legacy", "assisted", "≈40", "≈3h")
    assert (cells["wait"], cells["ledger"], cells["workers"]) == ("–", "–", "5 rq")


def test_a_protected_queue_is_never_shed() -> None:
    assert texts("security")["shed"] == "never"


def test_every_cell_has_a_column_and_fits_it() -> None:
    widths = {column.key: column.width for column in COLUMNS}
    for one in FLEET.queues:
        cells = row(one, LOOK).cells
        assert cells.keys() == widths.keys()
        for key, cell in cells.items():
            assert len(cell.text) <= widths[key], (key, cell.text)


def test_ascii_cells_are_ascii() -> None:
    for one in FLEET.queues:
        assert all(cell.text.isascii() for cell in row(one, Look(ASCII, UTC)).cells.values())


def test_an_empty_queue_without_workers_is_idle_and_one_with_mail_is_not() -> None:
    assert row(QueueState("empty"), LOOK).cells["state"].text == "idle"
    cells = row(QueueState("forgotten", depth=5), LOOK).cells
    assert (cells["queue"].text, cells["state"].text, cells["workers"].tone) == ("■ forgotten", "unserved", "bad")


# Sort and filter.


def test_natural_order_is_dearest_first_then_by_name() -> None:
    assert [one.name for one in sort_queues(FLEET.queues, None)] == [
        "payment",
        "security",
        "legacy",
        "welcome",
        "forum",
    ]


@pytest.mark.parametrize("column", SORT_KEYS)
def test_every_column_sorts_both_ways(column: str) -> None:
    first = sort_queues(FLEET.queues, Order(column))
    last = sort_queues(FLEET.queues, Order(column, descending=True))
    assert SORT_KEYS[column](first[0]) == SORT_KEYS[column](last[-1])
    assert {one.name for one in first} == {one.name for one in FLEET.queues}


def test_sort_keys_are_columns_and_numbers_start_with_the_largest() -> None:
    assert SORT_KEYS.keys() <= {column.key for column in COLUMNS}
    assert sort_queues(FLEET.queues, first_order("depth"))[0].name == "forum"
    assert sort_queues(FLEET.queues, first_order("queue"))[0].name == "forum"
    assert sort_queues(FLEET.queues, first_order("wait"))[-1].name == "legacy"


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("", 5),
        ("fo", 1),
        ("!fo", 4),
        ("protected", 2),
        ("growing", 1),
        ("prot !pay", 1),
        ("assisted", 1),
        ("lifo", 1),
        ("zzz", 0),
        ("!", 5),
    ],
)
def test_filter(words: str, left: int) -> None:
    assert len(filter_queues(FLEET.queues, words)) == left


# Header and alert line.

QUIET = replace(FLEET, queues=tuple(one for one in FLEET.queues if one.name != "forum"))


def headers(picture: Picture, columns: int = 120, daemon: str = "remote", **environment: object) -> tuple[str, str]:
    settings = EnvironmentSettings.model_validate(environment)
    left, right = header(picture, LOOK, columns, environment=settings, address="redis://db:6379/0", daemon=daemon)
    return line_text(left), line_text(right)


def test_header_says_where_we_are_and_how_fresh_the_picture_is() -> None:
    left, right = headers(FRESH, name="PROD", production=True, read_only=True)
    assert left.startswith(" queuectl  PROD   READ-ONLY  redis db:6379 · ledger ✓ · leader mail-01:4711")
    assert right == "every 1s · 14:02:31 "


@pytest.mark.parametrize(
    ("daemon", "said"),
    [
        ("child", "daemon: this console's child"),
        ("observing", "observing, nothing is written"),
        ("none", "leader mail-01"),
        ("remote", "leader mail-01"),
    ],
)
def test_header_says_who_automates(daemon: str, said: str) -> None:
    assert said in headers(FRESH, daemon=daemon)[0]


def test_header_without_any_daemon() -> None:
    assert "no daemon" in headers(Picture(replace(FLEET, leader=None)), daemon="none")[0]


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120, 200])
def test_header_never_outgrows_the_terminal_and_says_when_facts_are_missing(columns: int) -> None:
    left, right = headers(FRESH, columns, name="PROD")
    assert len(left) + len(right) <= columns
    assert ("…" in left) is (columns < 200)
    assert " PROD " in left


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Picture(), "connecting"),
        (Picture(FLEET, failure="gone", age_s=12.7), "disconnected 12s · retrying"),
        (Picture(FLEET, frozen=True, age_s=60), "FROZEN"),
        (Picture(FLEET, age_s=9), "stale 9s"),
        (Picture(FLEET, interval_s=None, age_s=900), "refresh off"),
        (Picture(FLEET, lagging=True), "slow terminal"),
    ],
)
def test_header_says_how_old_the_picture_is(picture: Picture, said: str) -> None:
    assert said in headers(picture)[1]


def test_header_shows_the_ledgers_residue() -> None:
    book = Ledger(accepted=10, residue=-3, state=LedgerState.RESIDUE)
    broken = replace(FLEET, queues=(*FLEET.queues, QueueState("x", ledger=book)))
    assert "ledger ✗ 3 unaccounted" in headers(Picture(broken))[0]
    assert "ledger –" in headers(Picture(FleetState(0.0, ServerState("x"))))[0]


def test_alert_says_the_worst_first_and_how_much_more_there_is() -> None:
    assert line_text(alert(FRESH, LOOK, 120)) == (
        " ▲ forum: growing 4.4k/s, will not clear at this rate · provider-bound: ses at 600 of 625/s · +3 more"
    )
    assert line_text(alert(FRESH, LOOK, 70)) == " ▲ forum: growing 4.4k/s, will not clear at this rate · +4 more"


def test_alert_fits_any_width() -> None:
    for columns in range(30, 125):
        line = line_text(alert(FRESH, LOOK, columns))
        assert len(line) <= columns
        assert len(line) > 100 or "more" in line


def test_alert_answers_whether_mail_gets_through_when_nothing_is_wrong() -> None:
    assert line_text(alert(Picture(QUIET), LOOK, 120)) == " ● mail is getting through at 366/s · 3,564 waiting"
    empty = FleetState(0.0, ServerState("x"))
    assert "no queues" in line_text(alert(Picture(empty), LOOK, 120))
    unknown = replace(empty, queues=(QueueState("a", in_flight=1),))
    assert "no rate is known yet" in line_text(alert(Picture(unknown), LOOK, 120))


def test_an_override_alone_stands_behind_the_answer() -> None:
    changed = replace(QUIET.queues[0], shed=Control(Switch.ON, True, by="ana"))
    line = line_text(alert(Picture(replace(QUIET, queues=(changed,))), LOOK, 120))
    assert line == " ● mail is getting through at 52/s · 12 waiting · security: shed on by ana"


def test_alert_says_why_the_server_is_away() -> None:
    assert line_text(alert(Picture(FLEET, failure="Connection refused"), LOOK, 80)) == " ■ Connection refused"


# Layout.


@pytest.mark.parametrize(
    ("columns", "rows", "queues", "charts", "has_events"),
    [
        (80, 24, 5, 1, False),
        (120, 40, 5, 3, True),
        (200, 60, 50, 3, True),
        (40, 10, 5, 0, False),
        (80, 24, 80, 1, False),
        (120, 40, 80, 3, True),
        (90, 60, 5, 1, True),
    ],
)
def test_layout(columns: int, rows: int, queues: int, charts: int, has_events: bool) -> None:
    layout = fleet_layout(columns, rows, queues, 6)
    assert (layout.charts, layout.event_rows > 0) == (charts, has_events)
    assert layout.table >= min(queues + 1, 6)


def test_layout_fills_the_terminal_and_never_more() -> None:
    for columns, rows, queues in itertools.product((40, 80, 120), range(6, 80), (0, 1, 5, 60)):
        layout = fleet_layout(columns, rows, queues, 20)
        assert 3 + layout.table + layout.chart_lines * layout.chart_rows + layout.event_rows == rows
        assert min(layout.table, layout.chart_rows + 1, layout.event_rows + 1) >= 1


def test_too_small() -> None:
    assert too_small(29, 40)
    assert too_small(80, 5)
    assert not too_small(40, 10)


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("redis://10.0.0.5:6379/0", "redis 10.0.0.5:6379"),
        ("redis://ops:***@10.0.0.5:6379/3", "redis 10.0.0.5:6379/3"),
        ("rediss://mail.example:6380/0", "redis mail.example:6380 tls"),
        ("unix:///home/ana/.local/share/queuectl/server.sock", "unix queuectl/server.sock"),
        ("redis+sentinel://h1:26379,h2:26379/main/0", "redis h1:26379,h2:26379/main"),
    ],
)
def test_the_address_is_shown_short(address: str, short: str) -> None:
    assert short_address(address) == short


@pytest.mark.parametrize(
    ("age_s", "span"), [(0, 60), (60, 60), (61, 120), (200, 300), (599, 600), (700, 900), (5000, 900)]
)
def test_a_young_history_fills_the_plot(age_s: float, span: float) -> None:
    series = [Series("a", "", [(1000.0 - age_s - 9, None), (1000.0 - age_s, 1.0)]), Series("b", "", [])]
    assert span_s(series, 1000.0, 900.0) == span
