"""Says once what is wrong, and once that it is over, however often it is met."""

from __future__ import annotations

import logging

LOG = logging.getLogger("queuectl.daemon")


class Trouble:
    """What goes wrong at the moment, by subject."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def met(self, subject: str, what: object) -> None:
        """Log a failure unless this subject's last one reads the same."""
        if self._known.get(subject) != str(what):
            self._known[subject] = str(what)
            LOG.error("%s: %s", subject, what)

    def over(self, subject: str) -> None:
        if self._known.pop(subject, None):
            LOG.info("%s: well again", subject)
