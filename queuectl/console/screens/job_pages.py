"""What screens with a list of jobs share: one page, as many rows as can be seen, fetched anew with every picture."""

from __future__ import annotations

from functools import partial

from textual import on, work

from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen
from queuectl.console.screens.job import JobScreen
from queuectl.console.view.jobs import PACKED, STATES, columns, job_row, passing, total
from queuectl.console.widgets.table import LiveTable
from queuectl.model import JobView, QueuectlError, QueueState


class JobPages(ConsoleScreen):
    """A screen about one queue. Subclasses give `show_heading`."""

    def __init__(self) -> None:
        super().__init__()
        self._queue = ""
        self._state = STATES[0]
        self._jobs: list[JobView] = []
        self._first = 0
        self._failure = ""
        self._fetched: tuple[object, ...] = ()
        """What the page of a packed list was fetched for."""

    def choose(self, name: str, state: str = "") -> None:
        """Which queue the screen is about, and which of its lists."""
        if name != self._queue or (state and state != self._state):
            self._queue, self._state = name, state or STATES[0]
            self.forget_jobs()

    def forget_jobs(self) -> None:
        """Another list is shown from now on."""
        self._jobs, self._first, self._failure, self._fetched = [], 0, "", ()

    def show_heading(self, queue: QueueState) -> None:
        """Say which jobs are in sight."""
        raise NotImplementedError

    def selected_queue(self) -> str:
        return self._queue

    def state_of(self, picture: Picture) -> QueueState | None:
        """The screen's queue in a picture; None when it is not there."""
        return picture.fleet.queue(self._queue) if picture.fleet else None

    # The page.

    def paint_jobs(self, queue: QueueState, picture: Picture) -> None:
        """Show the page as last fetched, and fetch it anew."""
        self._show_jobs(queue, dim=picture.stale)
        wanted = (self._queue, self._state, self._first, self.page_rows, total(queue, self._state))
        if not picture.stale and (self._state not in PACKED or wanted != self._fetched):
            self._fetched = wanted
            self._fetch_jobs()

    @work(exclusive=True, group="jobs")
    async def _fetch_jobs(self) -> None:
        wanted = (self._queue, self._state, self._first)
        try:
            jobs = await self.console.link.jobs(*wanted, self.page_rows)
            failure = ""
        except QueuectlError as error:
            jobs, failure = self._jobs, str(error)
        if wanted != (self._queue, self._state, self._first) or not self.is_mounted:
            return
        if not jobs and self._first and not failure:
            self._first = max(0, self._first - self.page_rows)
            self._fetch_jobs()
            return
        self._jobs, self._failure = jobs, failure
        picture = self.console.picture()
        queue = self.state_of(picture)
        if queue is not None:
            self._show_jobs(queue, dim=picture.stale)

    def _show_jobs(self, queue: QueueState, *, dim: bool) -> None:
        self.show_heading(queue)
        self.table().set_columns(columns(self._state))
        rows = passing(self._jobs, self.filter_words)
        self.table().set_rows([job_row(job, self._first + index + 1, self.look, dim=dim) for index, job in rows])

    def job_in_sight(self, job_id: str) -> JobView | None:
        return next((job for job in self._jobs if job.job_id == job_id), None)

    # Moving through the list, beyond the page.

    def _turn_to(self, first: int) -> None:
        first = max(0, first)
        if first != self._first:
            self._first = first
            self._fetch_jobs()

    def _at(self, last: int) -> bool:
        """Whether the cursor stands on the first (0) or last (-1) row."""
        rows = self.table().keys
        return not rows or self.table().cursor_key == rows[last]

    def do_down(self) -> None:
        if self._at(-1) and len(self._jobs) >= self.page_rows:
            self._turn_to(self._first + 1)
        super().do_down()

    def do_up(self) -> None:
        if self._at(0):
            self._turn_to(self._first - 1)
        super().do_up()

    def do_page_down(self) -> None:
        if len(self._jobs) >= self.page_rows:
            self._turn_to(self._first + self.page_rows)

    def do_page_up(self) -> None:
        self._turn_to(self._first - self.page_rows)

    def do_first(self) -> None:
        self._turn_to(0)
        super().do_first()

    def do_last(self) -> None:
        """A packed list is walked from its head: its end is out of reach."""
        queue = self.state_of(self.console.picture())
        if queue is not None and self._state not in PACKED:
            self._turn_to(total(queue, self._state) - self.page_rows)
        super().do_last()

    def do_pane(self) -> None:
        self.choose(self._queue, STATES[(STATES.index(self._state) + 1) % len(STATES)])
        self.console.paint()

    # One job.

    @on(LiveTable.RowSelected)
    def _chosen(self) -> None:
        self.do_open()

    def do_open(self) -> None:
        key = self.table().cursor_key
        if key is not None:
            self._open(key)

    @work(exclusive=True, group="job")
    async def _open(self, job_id: str) -> None:
        try:
            detail = await self.console.link.job(job_id, self._queue, self._state)
        except QueuectlError as error:
            self.console.tell(str(error), severity="error")
        else:
            reveal = partial(self.console.link.reveal, job_id, self._queue, self._state)
            await self.console.push_screen(JobScreen(detail, reveal))

    def copied(self) -> str:
        """What the copy key takes: the selected job's id."""
        return self.table().cursor_key or ""
