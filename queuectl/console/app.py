"""The console's composition: screens, refresh loop, themes, and the handlers of the registry's actions."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Literal

from textual.app import App
from textual.driver import Driver
from textual.events import Key
from textual.theme import Theme

from queuectl.console import actions, words
from queuectl.console.alarm import Bell
from queuectl.console.bars import works_on
from queuectl.console.commandline import Command
from queuectl.console.contexts import Contexts, Place
from queuectl.console.driver import SteadyDriver
from queuectl.console.feed import Feed
from queuectl.console.glyphs import glyphs
from queuectl.console.link import Link
from queuectl.console.palette import RegistryCommands
from queuectl.console.picture import Picture
from queuectl.console.screens.base import COMMAND, ConsoleScreen
from queuectl.console.screens.fleet import FleetScreen
from queuectl.console.screens.help import HelpScreen
from queuectl.console.screens.jobs import JobsScreen
from queuectl.console.screens.log import LogScreen
from queuectl.console.screens.plot import PlotScreen
from queuectl.console.screens.providers import ProvidersScreen
from queuectl.console.screens.queue import QueueScreen
from queuectl.console.screens.workers import WorkersScreen
from queuectl.console.steering import PANELS, Steering
from queuectl.console.switching import Switching
from queuectl.console.theme import tone_variables
from queuectl.console.theme_files import Themes
from queuectl.console.view.look import Look
from queuectl.model import UsageError
from queuectl.settings import Settings

LAGGING_WRITES = 6
"""Writes the terminal has not taken: more, and pictures are left out until it caught up."""
THEMES_EVERY_S = 2.0
HINT_S = 30.0


class ConsoleApp(App[None], inherit_bindings=False):
    """The operator's console on one link."""

    TITLE = "queuectl"
    CSS_PATH = ["app.tcss", "screens/base.tcss"]  # noqa: RUF012
    BINDINGS = list(actions.bindings(actions.resolve({})))  # noqa: RUF012 - Textual declares it this way
    COMMANDS = {RegistryCommands}  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        link: Link,
        settings: Settings,
        *,
        ascii_only: bool = False,
        no_color: bool = False,
        theme_dir: Path | None = None,
        zone: tzinfo | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        driver_class: type[Driver] | None = None,
        first_run: bool = False,
        contexts: Contexts | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class, ansi_color=True if no_color else None)
        self.contexts = contexts or Contexts.only(link, settings)
        self.link = link
        self.settings = settings
        self.environment = settings.environment
        self.look = Look(glyphs(ascii_only), zone)
        self.monotonic = monotonic
        self.keys = actions.resolve(settings.console.keymap)
        self.steering = Steering(self)
        self.switching = Switching(self)
        self.feed = Feed(link, settings.console.refresh_s, self.paint, monotonic)
        rebound = [name for name in settings.console.keymap if name in self.keys.by_id]
        self.set_keymap({name: ",".join(self.keys.by_id[name]) for name in rebound})
        self._themes = Themes(theme_dir)
        wanted = "ansi-16" if no_color else settings.console.theme
        self._problems = [*self.keys.problems, *self._themes.put_on(self, wanted)]
        self._first_run = first_run
        self._bell = Bell(self.bell, self.set_terminal_title)
        self._screens: dict[str, ConsoleScreen] = {}
        self.set_class(ascii_only, "-ascii")

    @property
    def themes(self) -> Mapping[str, Theme]:
        return self._themes.by_name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tone_variables(self.current_theme)

    async def on_mount(self) -> None:
        await self._open_screens()
        for problem in self._problems:
            self.tell(problem, severity="warning")
        if self._first_run:
            self.notify(self._hint(), title="first time here?", markup=False, timeout=HINT_S)
        self.set_interval(1.0, self._age)
        self.set_interval(THEMES_EVERY_S, self._read_themes_again)

    def fresh_screens(self) -> tuple[ConsoleScreen, ...]:
        """The one to begin with first."""
        return (FleetScreen(), QueueScreen(), WorkersScreen(), ProvidersScreen(), JobsScreen(), LogScreen(),
                PlotScreen())  # fmt: skip

    async def _open_screens(self) -> None:
        """Fresh screens on the server shown, and the polls that fill them."""
        home, *others = self.fresh_screens()
        for screen in (home, *others):
            self._screens[screen.title_name] = screen
            self.install_screen(screen, screen.title_name)
        await self.push_screen(home)
        self.run_worker(self.feed.run(), group="feed", exclusive=True)

    def _hint(self) -> str:
        shown = self.keys.shown
        return (
            f"{shown('open')} opens the selected queue, {shown('jobs')} its jobs.\n"
            f"{shown('shed')}, {shown('mode')}, {shown('drain')}, {shown('scale')} act, once you have confirmed.\n"
            f"{shown('help')} lists every key, {shown('palette')} finds a command, {shown('quit')} leaves."
        )

    def _read_themes_again(self) -> None:
        problems = self._themes.read_again(self)
        if problems is None:
            return
        for problem in problems:
            self.tell(problem, severity="warning")
        if not problems:
            self.tell("themes read again")

    # Painting.

    def picture(self) -> Picture:
        return self.feed.picture(lagging=self._lagging)

    @property
    def _lagging(self) -> bool:
        return isinstance(self._driver, SteadyDriver) and self._driver.backlog > LAGGING_WRITES

    def paint(self) -> None:
        """Show the newest picture on the screen, unless the terminal has not even taken the last ones."""
        screen, picture = self.main_screen(), self.picture()
        if self.settings.console.bell and picture.fleet is not None:
            self._bell.hear(picture.fleet)
        if screen is not None and not self._lagging:
            screen.show(picture)

    def set_terminal_title(self, text: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]2;{text}\x07")

    def on_unmount(self) -> None:
        self._bell.rest()

    def _age(self) -> None:
        """Once a second: an old picture's age is seen to grow; a fresh one is left alone."""
        screen = self.main_screen()
        if screen is not None and (self.picture().stale or screen.has_class("-stale")):
            self.paint()

    def main_screen(self) -> ConsoleScreen | None:
        """The topmost full screen; dialogs may lie above it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen)), None)

    def tell(self, text: str, *, severity: Literal["information", "warning", "error"] = "information") -> None:
        """A toast; words of others are never read as markup."""
        self.notify(text, severity=severity, markup=False, timeout=8 if severity != "information" else 5)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A mark's key is free for others on screens where nothing can be marked."""
        screen = self.main_screen()
        if action == "do" and parameters == ("mark",) and screen is not None:
            return works_on(actions.action("mark"), screen.title_name)
        return True

    def on_key(self, event: Key) -> None:
        """What is typed into the open prompt never comes here, unless it was typed before the prompt had opened."""
        screen = self.screen
        if isinstance(screen, ConsoleScreen) and screen.prompting and event.is_printable and event.character:
            event.prevent_default()
            screen.type_ahead(event.character)

    # Acting: every key, click, palette entry and command ends in one of the `do_` methods.

    async def action_do(self, action_id: str) -> None:
        """Carry out one entry of the registry, on the screen if it knows how, else here."""
        entry = actions.action(action_id)
        screen = self.main_screen()
        if screen is None:
            return
        if not works_on(entry, screen.title_name):
            self.tell(f"{entry.title}: not on the {screen.title_name} screen")
            return
        if entry.needs_queue and not screen.selected_queue():
            self.tell(f"{entry.title}: no queue is selected")
            return
        if action_id in PANELS:
            self.steer(action_id)
            return
        handler = getattr(screen, f"do_{action_id}", None) or getattr(self, f"do_{action_id}")
        result = handler()
        if inspect.isawaitable(result):
            await result

    def selected_queue(self) -> str:
        screen = self.main_screen()
        return screen.selected_queue() if screen else ""

    def selected_pool(self) -> str:
        screen = self.main_screen()
        return screen.pool_name() if isinstance(screen, WorkersScreen) else ""

    def steer(self, action_id: str) -> None:
        """Open the panel of an action on what is selected."""
        try:
            self.steering.start(Command(action_id))
        except UsageError as error:
            self.tell(str(error), severity="error")

    def do_undo(self) -> None:
        self.run_worker(self.steering.undo(None), group="undo", exclusive=True)

    def do_stop(self) -> None:
        self.run_worker(self.steering.stop(self.selected_queue()), group="stop")

    # Other servers.

    def do_context(self) -> None:
        self.switching.ask()

    async def action_attach(self, name: str) -> None:
        await self.switching.attach(name)

    async def turn_to(self, place: Place) -> None:
        """Show another server, with nothing left of the one before: screens, filters and marks are made anew."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        for known in self._screens:
            self.uninstall_screen(known)
        self.contexts.go(place.name)
        self.link, self.settings, self.environment = self.contexts.link, place.settings, place.settings.environment
        before, self.feed = self.feed, Feed(self.link, self.feed.interval_s, self.paint, self.monotonic)
        self.feed.span_s = before.span_s
        self._bell.rest()
        await self._open_screens()

    # Going to screens.

    async def go(self, name: str) -> None:
        """Show a full screen, ready for the next key; the fleet stays below it, so that Esc always ends there."""
        target, current = self._screens[name], self.main_screen()
        if current is target:
            return
        if isinstance(current, ConsoleScreen) and current.title_name != "fleet":
            await self.pop_screen()
        if name != "fleet":
            await self.push_screen(target)

    async def go_back(self) -> None:
        await self.go("fleet")

    async def open_queue(self, name: str) -> None:
        screen = self._screens["queue"]
        if name and isinstance(screen, QueueScreen):
            screen.choose(name)
            await self.go("queue")

    async def open_jobs(self, name: str) -> None:
        """The failed jobs of a queue that has some, else those that wait."""
        screen, fleet = self._screens["jobs"], self.picture().fleet
        queue = (fleet.queue(name) or next(iter(fleet.queues), None)) if fleet else None
        if queue is None or not isinstance(screen, JobsScreen):
            self.tell("there is no queue yet")
            return
        if screen.selected_queue() != queue.name:
            screen.choose(queue.name, "failed" if queue.failed else "queued")
        await self.go("jobs")

    async def do_fleet(self) -> None:
        await self.go("fleet")

    async def do_queue(self) -> None:
        await self.open_queue(self.selected_queue())

    async def do_workers(self) -> None:
        await self.go("workers")

    async def do_providers(self) -> None:
        await self.go("providers")

    async def do_jobs(self) -> None:
        screen = self._screens["jobs"]
        await self.open_jobs(self.selected_queue() or screen.selected_queue())

    async def do_log(self) -> None:
        await self.go("log")

    async def do_plot(self) -> None:
        """The first plot of what the screen is about; on the fleet of everything, unless its plots are of a queue."""
        screen, large = self.main_screen(), self._screens["plot"]
        if isinstance(large, PlotScreen) and screen is not None:
            large.choose(screen.plotted_queue, screen.title_name, screen.plotted_first)
            await self.go("plot")

    def do_range(self) -> None:
        self.show_range(self.feed.next_span())

    def show_range(self, span_s: float) -> None:
        self.feed.show_span(span_s)
        self.tell(f"plots show the last {words.duration(span_s)}")
        self.paint()

    def do_help(self) -> None:
        self.push_screen(HelpScreen())

    def do_palette(self) -> None:
        self.action_command_palette()

    def do_command(self) -> None:
        screen = self.main_screen()
        if screen is not None:
            screen.open_prompt(COMMAND)

    # The session.

    def do_refresh(self) -> None:
        self.feed.cycle_interval()
        self.paint()

    def do_freeze(self) -> None:
        self.feed.toggle_frozen()
        self.paint()

    def do_copy(self) -> None:
        screen = self.main_screen()
        text = screen.copied() if screen else ""
        if text:
            self.copy_to_clipboard(text)
        self.tell(f"copied {text}" if text else "nothing is selected")

    def do_theme(self) -> None:
        names = list(self.themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.tell(f"theme {self.theme}")

    def do_screenshot(self) -> None:
        name = datetime.now(self.look.zone).strftime("queuectl-%Y%m%d-%H%M%S.svg")
        try:
            path = self.save_screenshot(name)
        except OSError as error:
            self.tell(f"screenshot not saved: {error.strerror}", severity="error")
        else:
            self.tell(f"saved {path}")

    def do_suspend(self) -> None:
        self.action_suspend_process()

    def do_interrupt(self) -> None:
        self.tell(f"press {self.keys.shown('quit')} to quit")

    def do_quit(self) -> None:
        self.exit()
