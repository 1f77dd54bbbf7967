"""Who changed what and why; undo from here."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.widget import Widget

from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.view.log import COLUMNS, rows
from queuectl.console.widgets.table import LiveTable
from queuectl.model import AuditEntry, QueuectlError

ENTRIES = 500


class LogScreen(ConsoleScreen):
    """The newest entries of the audit, newest first."""

    title_name = "log"

    def __init__(self) -> None:
        super().__init__()
        self._entries: tuple[AuditEntry, ...] = ()
        self._seen: tuple[int, float] = (0, 0.0)

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="log", empty="nothing was changed yet", ascii=self.look.signs.ascii)

    def paint(self, picture: Picture) -> None:
        fleet = picture.fleet
        newest = fleet.events[0] if fleet and fleet.events else None
        seen = (newest.number, newest.at_s) if newest else (-1, 0.0)
        if fleet is not None and seen != self._seen:
            self._seen = seen
            self._fetch()
        self._show(picture)

    @work(exclusive=True, group="audit")
    async def _fetch(self) -> None:
        """The audit is read again only when the picture's events show something new."""
        try:
            self._entries = await self.console.link.audit(ENTRIES)
        except QueuectlError:
            self._seen = (0, 0.0)
            return
        if self.is_mounted:
            self._show(self.console.picture())

    def _show(self, picture: Picture) -> None:
        self.table().set_rows(rows(self._entries, self.filter_words, self.look, dim=picture.stale))

    @on(LiveTable.RowSelected)
    def _chosen(self) -> None:
        self.do_open()

    def do_open(self) -> None:
        self.do_undo()

    def do_undo(self) -> None:
        """The selected entry, if it can be undone."""
        key = self.table().cursor_key
        entry = next((entry for entry in self._entries if str(entry.number) == key), None)
        if entry is None:
            self.console.tell("nothing is selected")
        elif not entry.undoable or entry.undone_by:
            by = f": undone by {entry.undone_by}" if entry.undone_by else ""
            self.console.tell(f"{entry.number} cannot be undone{by}")
        else:
            self.console.run_worker(self.console.steering.undo(entry.number), group="undo")
