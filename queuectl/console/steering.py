"""From a key or a command to an action panel: which form, about which queue, and what is said when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from queuectl.console import commandline, forms
from queuectl.console.commandline import Command
from queuectl.console.forms import Form, Picks
from queuectl.console.screens.jobs import JobsScreen
from queuectl.console.screens.panel import ActionPanel
from queuectl.model import (
    DeleteFailed,
    FleetState,
    Outcome,
    PoolState,
    QueuectlError,
    QueueState,
    RetryFailed,
    Switch,
    UsageError,
)

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

RANGES_S = {"5m": 300.0, "15m": 900.0, "1h": 3_600.0, "6h": 21_600.0, "24h": 86_400.0}
"""How the command line spells the plots' ranges."""
AUDIT_SPAN = 200
"""How far back `u` looks for something to undo."""

_QUEUE_FORMS: dict[str, Callable[[QueueState, FleetState, str], Form]] = {
    "shed": lambda queue, _fleet, value: forms.shed(queue, value),
    "mode": lambda queue, _fleet, value: forms.mode(queue, value),
    "pause": lambda queue, _fleet, _value: forms.pause(queue),
    "resume": lambda queue, _fleet, _value: forms.pause(queue, Switch.OFF.value),
    "policy": lambda queue, _fleet, assignment: forms.policy(queue, assignment),
    "drain": forms.drain,
    "refill": lambda queue, _fleet, value: forms.refill(queue, value),
}
_FAILED: dict[str, type[RetryFailed | DeleteFailed]] = {"retry": RetryFailed, "delete": DeleteFailed}
PANELS = frozenset({*_QUEUE_FORMS, *_FAILED, "scale"})
"""Ids of the registry's actions that open a panel here."""


class Steering:
    """Opens panels; the gate behind the link decides and acts."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    def start(self, command: Command) -> None:
        """Open the panel for a steering command. UsageError when there is nothing to open it on."""
        self._app.push_screen(ActionPanel(self._form(command), self._app.link), self.finished)

    def run_line(self, text: str) -> None:
        """One line of the command prompt."""
        try:
            command = commandline.parse(text, self._app.picture().fleet, list(self._app.themes))
            if command is not None:
                self._run(command)
        except UsageError as error:
            self._app.tell(str(error), severity="error")

    def _run(self, command: Command) -> None:
        app, word = self._app, command.word(0)
        match command.action:
            case panel if panel in PANELS:
                self.start(command)
            case "range":
                app.show_range(RANGES_S[word])
            case "context":
                app.run_worker(app.action_attach(word), group="command")
            case "theme" if word:
                app.theme = word
            case "open":
                app.run_worker(app.open_queue(word), group="command")
            case "jobs":
                app.run_worker(app.open_jobs(word), group="command")
            case "undo" if word:
                app.run_worker(self.undo(forms.whole(word, "undo", 1)), group="undo")
            case "stop":
                app.run_worker(self.stop(word), group="stop")
            case other:
                app.run_worker(app.action_do(other), group="command")

    def finished(self, outcome: Outcome | None) -> None:
        """Say what was done, and poll at once so that it can be seen."""
        if outcome is None:
            return
        undo = f"undo: {outcome.number} (key {self._app.keys.shown('undo')})" if outcome.number else ""
        screen = self._app.main_screen()
        if isinstance(screen, JobsScreen):
            screen.acted()
        running = "goes on in the background" if outcome.operation else ""
        self._app.tell("\n".join(part for part in (outcome.done, running, undo) if part))
        self._app.feed.poke()

    def _form(self, command: Command) -> Form:
        fleet = self._fleet()
        if command.action == "scale":
            return forms.scale(self._pool(fleet, command.word(0)), command.word(1))
        queue = self._queue(fleet, command.word(0))
        if command.action in _FAILED:
            return forms.failed(_FAILED[command.action], queue, self._picks(command))
        return _QUEUE_FORMS[command.action](queue, fleet, command.word(1))

    def _picks(self, command: Command) -> Picks:
        """Typed with a queue's name, a command is about the whole queue; a key is about what one sees."""
        screen = self._app.main_screen()
        if command.word(0) or not isinstance(screen, JobsScreen):
            return Picks()
        return screen.picks()

    def _fleet(self) -> FleetState:
        fleet = self._app.picture().fleet
        if fleet is None:
            raise UsageError("there is no picture of the server yet")
        return fleet

    def _queue(self, fleet: FleetState, name: str) -> QueueState:
        name = name or self._app.selected_queue()
        queue = fleet.queue(name)
        if queue is None:
            raise UsageError(f"queue {name!r} does not exist" if name else "no queue is selected")
        return queue

    def _pool(self, fleet: FleetState, name: str) -> PoolState:
        """The named pool, else the selected one, else the one that serves the selected queue, else the first."""
        pools = [pool for pool in fleet.pools if pool.desired is not None] or list(fleet.pools)
        wanted = name or self._app.selected_pool()
        queue = self._app.selected_queue()
        found = next((pool for pool in fleet.pools if pool.name == wanted), None)
        found = found or next((pool for pool in pools if queue in pool.queues), None) or next(iter(pools), None)
        if found is None:
            raise UsageError("there is no worker pool to scale")
        return found

    async def undo(self, number: int | None) -> None:
        """Open the panel for one audit number, or for the newest entry that can be undone."""
        link = self._app.link
        try:
            number = number or await self._newest_undoable()
        except QueuectlError as error:
            self._app.tell(str(error), severity="error")
            return
        if number is None:
            self._app.tell(f"nothing to undo in the last {AUDIT_SPAN} entries")
            return
        if self._app.link is link:
            await self._app.push_screen(ActionPanel(forms.undo(number), link), self.finished)

    async def _newest_undoable(self) -> int | None:
        entries = await self._app.link.audit(AUDIT_SPAN)
        return next((entry.number for entry in entries if entry.undoable and not entry.undone_by), None)

    async def stop(self, queue: str) -> None:
        """Stop every drain and refill of a queue; what was moved stays moved."""
        running = self._app.picture().operations_on(queue)
        if not running:
            self._app.tell(f"no drain or refill is under way on {queue}")
        for operation in running:
            try:
                await self._app.link.stop_operation(operation.op_id)
            except QueuectlError as error:
                self._app.tell(str(error), severity="error")
            else:
                self._app.tell(f"{operation.kind} of {queue} stopped after {operation.done:,}")
        self._app.feed.poke()
