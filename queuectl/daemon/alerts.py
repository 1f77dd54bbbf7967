"""Tells people outside of the console, through Apprise, when mail stops getting through and when it does again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from queuectl.daemon.trouble import Trouble
from queuectl.model import FleetState, UsageError
from queuectl.policy.alerting import Alert, Standings, alert
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.masking import mask_text
from queuectl.settings import Settings
from queuectl.settings.alerts import AlertSettings

SUBJECT = "alerts"
MOST_WAITING = 20
"""Alerts not sent yet, beyond which the oldest are dropped: a receiver that hangs must not fill our memory."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message as people get it."""

    title: str
    body: str
    good: bool = False


class Receivers:
    """The receivers that the settings name. Each is tried once; Apprise's own `?retry=3` in its URL tries again."""

    def __init__(self, settings: AlertSettings, environ: Mapping[str, str]) -> None:
        """Raises UsageError: the variable is not set, Apprise is not there, or a URL is none of Apprise's."""
        name = settings.urls_env
        urls = environ.get(name, "").split()
        if not urls:
            raise UsageError(f"alerts.urls_env: the environment variable {name} is not set, or holds no URL")
        if find_spec("apprise") is None:
            raise UsageError("alerts.urls_env needs the extra `alerts`: pip install 'queuectl[alerts]'")
        from apprise import Apprise

        self._all: list[Any] = [Apprise.instantiate(url, suppress_exceptions=True) for url in urls]
        for place, receiver in enumerate(self._all, 1):
            if receiver is None:
                raise UsageError(f"{name}: URL {place} of {len(urls)} is none that Apprise knows")

    @property
    def targets(self) -> list[str]:
        """Where notices go, without secrets."""
        return [f"{receiver.service_name} ({receiver.url(privacy=True).partition('?')[0]})"
                for receiver in self._all]  # fmt: skip

    async def send(self, notice: Notice) -> str:
        """To everyone at once. Returns whose service did not take it, or nothing."""
        from apprise import NotifyType

        kind = NotifyType.SUCCESS if notice.good else NotifyType.FAILURE
        sent = await asyncio.gather(
            *(receiver.async_notify(body=notice.body, title=notice.title, notify_type=kind)
              for receiver in self._all),
            return_exceptions=True,
        )  # fmt: skip
        failed = [str(receiver.service_name) for receiver, well in zip(self._all, sent, strict=True)
                  if well is not True]  # fmt: skip
        return f"not taken by {', '.join(failed)}" if failed else ""


class Alerts:
    """The leader's alerts. They are sent beside the daemon's second, which never waits for a receiver."""

    def __init__(self, trouble: Trouble, environ: Mapping[str, str] = os.environ) -> None:
        self._trouble = trouble
        self._environ = environ
        self._settings = AlertSettings()
        self._receivers: Receivers | None = None
        self._standings: Standings = {}
        self._waiting: list[Notice] = []
        self._sending: asyncio.Task[None] | None = None

    def hear(self, fleet: FleetState, settings: Settings) -> None:
        """One picture. What Apprise cannot use is logged once, and everything else goes on."""
        self._follow(settings.alerts)
        if self._receivers is None:
            return
        now_s = fleet.taken_at_s
        self._standings, alerts = alert(self._standings, diagnose(fleet), now_s, settings.alerts.after_s)
        where = settings.environment.name or fleet.server.address
        self._waiting += [notice_of(one, where) for one in alerts]
        del self._waiting[:-MOST_WAITING]
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def settled(self) -> None:
        """Wait until everything that was to be told has been sent, or has failed."""
        if self._sending:
            await self._sending

    def close(self) -> None:
        """We lead no more, or leave: the next leader tells what still stands."""
        self._standings = {}
        self._waiting.clear()
        if self._sending:
            self._sending.cancel()
            self._sending = None

    def _follow(self, settings: AlertSettings) -> None:
        """Settings may name other receivers after each SIGHUP."""
        if settings == self._settings:
            return
        self._settings, self._receivers = settings, None
        if not settings.urls_env:
            return
        try:
            self._receivers = Receivers(settings, self._environ)
        except UsageError as error:
            self._trouble.met(SUBJECT, error)

    async def _send(self) -> None:
        while self._waiting and self._receivers:
            problem = await self._receivers.send(self._waiting.pop(0))
            if problem:
                self._trouble.met(SUBJECT, problem)
            else:
                self._trouble.over(SUBJECT)


def notice_of(one: Alert, where: str) -> Notice:
    """The words: which deployment, which queue, what is wrong and for how long. Addresses are masked."""
    place = one.place or "queuectl"
    lasted = f"{one.lasted_s:,.0f} s"
    if one.over:
        body = f"It lasted {lasted}. It was: {'; '.join(one.texts)}"
        return Notice(f"[{where}] {place}: over", mask_text(body), good=True)
    body = "\n".join([*one.texts, f"For {lasted}."])
    return Notice(mask_text(f"[{where}] {place}: {one.texts[0]}"), mask_text(body))
