import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from queuectl.cli.main import run
from queuectl.daemon.alerts import Alerts, Receivers
from queuectl.daemon.trouble import Trouble
from queuectl.model import FleetState, QueueState, ServerState, UsageError
from queuectl.settings import Settings
from queuectl.settings.alerts import AlertSettings

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""Apprise still tries the old module where it is there."""

SETTINGS = Settings.model_validate(
    {"alerts": {"urls_env": "RECEIVERS", "after_s": 30}, "environment": {"name": "PROD"}}
)


@asynccontextmanager
async def web_hook(status: int = 200) -> AsyncIterator[tuple[str, "asyncio.Queue[dict[str, str]]"]]:
    """A web server that takes JSON: its Apprise URL and what it got."""
    got: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length:"))
        got.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    try:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", got
    finally:
        server.close()
        await server.wait_closed()


def fleet(at_s: float, *queues: QueueState) -> FleetState:
    return FleetState(taken_at_s=at_s, server=ServerState("10.0.0.5:6379"), queues=queues)


UNSERVED = QueueState("forum", depth=500, oldest_s=100.0)


async def test_trouble_and_its_end_reach_a_web_hook() -> None:
    async with web_hook() as (url, got):
        alerts = Alerts(Trouble(), {"RECEIVERS": url})
        for at_s in (0.0, 30.0, 31.0):
            alerts.hear(fleet(at_s, UNSERVED), SETTINGS)
        began = await asyncio.wait_for(got.get(), 10)
        assert began["title"].startswith("[PROD] forum: ")
        assert "For 30 s." in began["message"]
        for at_s in (32.0, 70.0):
            alerts.hear(fleet(at_s, replace(UNSERVED, depth=0)), SETTINGS)
        ended = await asyncio.wait_for(got.get(), 10)
        assert ended["title"] == "[PROD] forum: over"
        assert got.empty()
        alerts.close()


async def test_a_receiver_that_refuses_is_logged_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async with web_hook(500) as (url, got):
        alerts = Alerts(Trouble(), {"RECEIVERS": url.replace("json://", "json://user:hush@")})
        for at_s in (0.0, 30.0):
            alerts.hear(fleet(at_s, UNSERVED), SETTINGS)
        await asyncio.wait_for(got.get(), 10)
        await asyncio.wait_for(alerts.settled(), 10)
    assert "not taken by" in caplog.text
    assert "hush" not in caplog.text


async def test_a_new_leader_tells_what_still_stands() -> None:
    async with web_hook() as (url, got):
        alerts = Alerts(Trouble(), {"RECEIVERS": url})
        for at_s in (0.0, 30.0):
            alerts.hear(fleet(at_s, UNSERVED), SETTINGS)
        await asyncio.wait_for(got.get(), 10)
        alerts.close()
        for at_s in (40.0, 60.0, 70.0):
            alerts.hear(fleet(at_s, UNSERVED), SETTINGS)
        assert "For 30 s." in (await asyncio.wait_for(got.get(), 10))["message"]
        await alerts.settled()


@pytest.mark.parametrize(
    ("urls", "problem"),
    [(None, "RECEIVERS is not set"), ("  ", "holds no URL"), ("json://ok/x nonsense://hush", "URL 2 of 2")],
)
def test_unusable_receivers_are_a_clear_error(urls: str | None, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as error:
        Receivers(AlertSettings(urls_env="RECEIVERS"), {} if urls is None else {"RECEIVERS": urls})
    assert "hush" not in str(error.value)


async def test_the_command_sends_a_test(capsys: pytest.CaptureFixture[str]) -> None:
    async with web_hook() as (url, got):
        environ = {"QUEUECTL_ALERTS__URLS_ENV": "RECEIVERS", "RECEIVERS": f"{url}?+key=hush"}
        code = await asyncio.to_thread(run, ["alerts"], environ)
        assert (code, (await got.get())["title"]) == (0, "[queuectl] a test")
    said = capsys.readouterr().out
    assert "taken by all" in said
    assert "hush" not in said


def test_the_command_needs_receivers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts"], {}) == 2
    assert "alerts.urls_env is not set" in capsys.readouterr().err
