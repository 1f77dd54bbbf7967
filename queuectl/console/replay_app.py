"""The console on a recording: the same screens, and in place of the footer's actions a time line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.events import Click
from textual.widget import Widget

from queuectl.console import words
from queuectl.console.actions import Keys
from queuectl.console.app import ConsoleApp
from queuectl.console.bars import KeyBar, Lines, content
from queuectl.console.feed import Feed
from queuectl.console.glyphs import Glyphs
from queuectl.console.palette import RegistryCommands
from queuectl.console.replay_keys import REPLAY_KEYS, ReplayKey, bar_hints
from queuectl.console.replay_link import ReplayLink
from queuectl.console.screens.help import KEY_CELLS, HelpScreen
from queuectl.console.view.look import Line, Look, Span, width

LEAST_LINE_CELLS = 12
REFRESH_S = 0.5


class ReplayFeed(Feed):
    """Recorded time may run faster than the clock: the samples between two pictures come from the recording."""

    def __init__(self, link: ReplayLink, *rest: Any) -> None:
        super().__init__(link, *rest)
        self._replay = link

    async def poll(self) -> None:
        newest_s, now_s = self._history.newest_s, self._replay.position_s
        if newest_s is not None and newest_s < now_s < newest_s + self.span_s / 2:
            for sample in self._replay.recording.samples(newest_s, now_s):
                self._history.add(sample)
        await super().poll()


class ReplayCommands(Provider):
    """The time line's keys in the palette."""

    async def discover(self) -> Hits:
        for entry, act in self._entries():
            yield DiscoveryHit(Content(f"{entry.title}  ({entry.shown})"), act, entry.title, entry.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry, act in self._entries():
            score = max(matcher.match(entry.title), matcher.match(entry.help) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(f"{entry.title}  ({entry.shown})"), act, entry.title, entry.help)

    def _entries(self) -> Iterator[tuple[ReplayKey, Any]]:
        replay = cast("ReplayApp", self.app)
        for entry in REPLAY_KEYS:
            yield entry, partial(replay.action_replay, entry.key)


class ReplayBar(Widget):
    """One line: playing or held, the time shown, the time line with its events, the keys. A click goes there."""

    DEFAULT_CSS = "ReplayBar { height: 1; }"

    def __init__(self, link: ReplayLink, look: Look, keys: Keys) -> None:
        super().__init__()
        first, *others = bar_hints()
        self._hints = [first, others[0], (keys.shown("help"), "help"), *others[1:], (keys.shown("quit"), "quit")]
        self._link = link
        self._look = look
        self._line_at = (0, 1)
        """First cell of the time line, and how many it has."""

    def render(self) -> Content:
        room = max(self.size.width, 1)
        state = self._state()
        hints = _fitting(self._hints, room - width(state) - LEAST_LINE_CELLS - 2, self._look.signs)
        cells = max(room - width(state) - width(hints) - 2, 0)
        self._line_at = (width(state) + 1, max(cells, 1))
        return content((*state, Span(" "), *self._time_line(cells), Span(" "), *hints))

    def _state(self) -> Line:
        link, signs = self._link, self._look.signs
        if link.at_end:
            sign, tone = "END", "warn"
        else:
            sign, tone = ("PLAY", "ok") if link.playing else ("HELD", "warn")
        speed = f"{'x' if signs.ascii else '×'}{link.speed:g}"
        return (Span(f" {sign} ", tone, bold=True, badge=True),
                Span(f" {words.clock(link.position_s, self._look.zone)} {speed}"))  # fmt: skip

    def _time_line(self, cells: int) -> Line:
        if cells < 2:
            return ()
        recording, ascii_only = self._link.recording, self._look.signs.ascii
        here = self._cell(self._link.position_s, cells)
        events = {self._cell(event.at_s, cells) for event in recording.events(recording.start_s, recording.end_s)}
        signs = "=-|#" if ascii_only else "━─┿●"
        return tuple(
            Span(signs[3], "accent", bold=True) if cell == here
            else Span(signs[2], "warn") if cell in events
            else Span(signs[0], "accent") if cell < here
            else Span(signs[1], "muted")
            for cell in range(cells)
        )  # fmt: skip

    def _cell(self, at_s: float, cells: int) -> int:
        recording = self._link.recording
        length_s = recording.end_s - recording.start_s
        share = (at_s - recording.start_s) / length_s if length_s else 0.0
        return min(int(share * cells), cells - 1)

    async def on_click(self, event: Click) -> None:
        """The time under the mouse."""
        first, cells = self._line_at
        recording = self._link.recording
        if first <= event.x < first + cells:
            share = (event.x - first) / max(cells - 1, 1)
            self._link.seek(recording.start_s + share * (recording.end_s - recording.start_s))
            cast("ReplayApp", self.app).show_position()


class ReplayHelp(HelpScreen):
    """Help, with the time line's keys first."""

    CSS_PATH = "screens/help.tcss"

    def on_mount(self) -> None:
        lines: list[Line] = [(Span("Time line of the recording", "title", bold=True),)]
        lines += [(Span(f"  {entry.shown:<{KEY_CELLS}}", "accent", bold=True), Span(entry.help))
                  for entry in REPLAY_KEYS]  # fmt: skip
        self.query_one("#help-body").mount(Lines([*lines, ()], id="help-replay"), before=0)


class ReplayApp(ConsoleApp, inherit_bindings=True):
    """`link` must be a ReplayLink."""

    CSS_PATH = [*ConsoleApp.CSS_PATH, "replay.tcss"]  # noqa: RUF012 - Textual declares it this way
    BINDINGS = [  # noqa: RUF012
        Binding(entry.key, f"replay('{entry.key}')", entry.title, show=False, tooltip=entry.help)
        for entry in REPLAY_KEYS
    ]
    COMMANDS = {ReplayCommands, RegistryCommands}  # noqa: RUF012

    def __init__(self, link: ReplayLink, *args: Any, **options: Any) -> None:
        super().__init__(link, *args, **options)
        self.replay = link
        self.feed = ReplayFeed(link, REFRESH_S, self.paint, self.monotonic)
        self._seen_s = link.recording.start_s
        self._travelled_s = 0.0
        self.monotonic = lambda: self._travelled_s
        if link.recording.note:
            self._problems.append(f"{link.recording.path.name}: {link.recording.note}")

    def paint(self) -> None:
        """Screens that redraw something only every few seconds count recorded seconds, passed in either direction."""
        fleet = self.picture().fleet
        if fleet:
            self._travelled_s += abs(fleet.taken_at_s - self._seen_s)
            self._seen_s = fleet.taken_at_s
        super().paint()
        screen = self.main_screen()
        if screen is None or not screen.query(KeyBar):
            return
        if bars := screen.query(ReplayBar):
            bars.first().refresh()
        else:
            screen.mount(ReplayBar(self.replay, self.look, self.keys), before=screen.query_one(KeyBar))

    def do_help(self) -> None:
        self.push_screen(ReplayHelp())

    def action_replay(self, key: str) -> None:
        """Carry out one entry of REPLAY_KEYS."""
        entry = next(entry for entry in REPLAY_KEYS if entry.key == key)
        said = entry.act(self.replay)
        if said:
            self.tell(said)
        self.show_position()

    def show_position(self) -> None:
        """The time was set: show its picture now."""
        self.feed.poke()


def _fitting(hints: Sequence[tuple[str, str]], room: int, signs: Glyphs) -> Line:
    """As many hints as fit, the first ones first, and a sign where there are more."""
    line: list[Span] = []
    for keys, word in hints:
        piece = (Span(f" {keys}", "accent", bold=True), Span(f" {word} "))
        if width((*line, *piece)) > room - 1:
            return (*line, Span(signs.more, "accent", bold=True))
        line += piece
    return tuple(line)
