"""The leader's recording: into the settings' folder, without ever disturbing the daemon's other work."""

from __future__ import annotations

from pathlib import Path

from queuectl.daemon.trouble import Trouble
from queuectl.model import FleetState
from queuectl.record.format import RecordingError
from queuectl.record.recorder import Archive
from queuectl.settings import DaemonSettings

SUBJECT = "recording"


class LeaderRecording:
    """Follows the settings: they may name another folder, or none, after each SIGHUP."""

    def __init__(self, daemon: str, trouble: Trouble) -> None:
        self._daemon = daemon
        self._trouble = trouble
        self._archive: Archive | None = None
        self._wanted: tuple[str, int] = ("", 0)

    def add(self, fleet: FleetState, settings: DaemonSettings) -> None:
        """Record a picture where the settings ask for it; a failure is logged once and tried again."""
        wanted = (settings.record_dir, settings.record_keep_days)
        if wanted != self._wanted:
            self.close()
            self._wanted = wanted
        if not settings.record_dir:
            return
        if self._archive is None:
            self._archive = Archive(Path(settings.record_dir).expanduser(), settings.record_keep_days, by=self._daemon)
        try:
            self._archive.add(fleet)
        except RecordingError as error:
            self._trouble.met(SUBJECT, error)
        else:
            self._trouble.over(SUBJECT)

    def close(self) -> None:
        """Write what is held: we lead no more, or leave."""
        archive, self._archive = self._archive, None
        if archive:
            try:
                archive.close()
            except RecordingError as error:
                self._trouble.met(SUBJECT, error)
