"""Exceptions raised in another thread, and only while that thread is where it expects them."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from rq.timeouts import BaseDeathPenalty, BaseTimeoutException, JobTimeoutException

_RAISE = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Target:
    """The block in which a thread may be interrupted: `with target: …` there, `target.raise_in(…)` elsewhere.

    Python raises such an exception at the next bytecode: a call that blocks in C returns first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._raised = False

    def __enter__(self) -> None:
        with self._lock:
            self._thread, self._raised = threading.get_ident(), False

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            if self._raised and exc_info[0] is None and thread is not None:
                _RAISE(ctypes.c_ulong(thread), None)

    def raise_in(self, exception: type[BaseException]) -> bool:
        """False: the thread is not in the block."""
        with self._lock:
            if self._thread is None:
                return False
            self._raised = _RAISE(ctypes.c_ulong(self._thread), ctypes.py_object(exception)) == 1
            return self._raised


class ThreadDeathPenalty(BaseDeathPenalty):
    """A time limit for a block in any thread. rq's own for threads renames one shared exception class, which threads
    would overwrite for each other."""

    def __init__(self, timeout: float, exception: type[Exception] = JobTimeoutException, **kwargs: Any) -> None:
        super().__init__(timeout, exception, **kwargs)  # type: ignore[no-untyped-call]
        self._target = Target()
        self._timer: threading.Timer | None = None

    def setup_death_penalty(self) -> None:
        if self._timeout <= 0:
            return
        exception = timed_out(self._exception, self._timeout)
        self._timer = threading.Timer(self._timeout, self._target.raise_in, (exception,))
        self._timer.daemon = True
        self._target.__enter__()
        self._timer.start()

    def cancel_death_penalty(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._target.__exit__(None, None, None)


def timed_out(base: type[Exception], timeout_s: float) -> type[Exception]:
    """A class of its own that carries rq's message: an exception is raised in a thread by class alone."""
    message = f"Task exceeded maximum timeout value ({timeout_s:g} seconds)"

    def init(self: Exception) -> None:
        BaseTimeoutException.__init__(self, message)

    return type(base.__name__, (base,), {"__init__": init, "__module__": base.__module__})
