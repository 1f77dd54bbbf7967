"""The worker's deliverer: template fetched once, provider chosen, every failure a disposition."""

from __future__ import annotations

import asyncio

from mail_servers import Inbox, aiosmtpd_server

from queuectl.mail.deliverer import Deliverer
from queuectl.mail.replies import DELIVERED, Outcome, Scope
from queuectl.mail.templates import encode, make_template
from queuectl.model import MailMessage, ServerError
from queuectl.settings import Settings

TEMPLATE = make_template("Hi {{ name }}", "Dear {{ name }}\n")


class Shelf:
    """Stored templates, with a count of how often they were read."""

    def __init__(self, *blobs: tuple[str, bytes]) -> None:
        self.blobs = dict(blobs)
        self.reads = 0
        self.away = False

    async def fetch(self, template_id: str) -> bytes | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise ServerError("no server at redis://…")
        return self.blobs.get(template_id)


def settings(port: int = 25, **providers: dict[str, object]) -> Settings:
    return Settings.model_validate({
        "providers": {"default": {"port": port, "connections": 4}, **providers},
        "delivery": {"sender": "Shop <shop@example.com>", "message_id_domain": "mail.example.com"},
    })  # fmt: skip


def letter(name: str = "Ana", template: str = TEMPLATE.template_id) -> MailMessage:
    return MailMessage(to="ana@example.org", template=template, params={"name": name})


async def test_a_template_is_fetched_once_for_many_messages() -> None:
    inbox, shelf = Inbox(), Shelf((TEMPLATE.template_id, encode(TEMPLATE)))
    async with aiosmtpd_server(inbox) as port:
        deliverer = Deliverer(settings(port), {}, shelf.fetch)
        results = await asyncio.gather(*(deliverer.deliver(letter(f"N{n}"), f"j{n}", "default") for n in range(20)))
        assert deliverer.connections == {"default": 4}
        assert deliverer.ready("default")
        await deliverer.close()
    assert set(results) == {DELIVERED}
    assert shelf.reads == 1
    contents = b"".join(envelope.original_content for envelope in inbox.envelopes)
    assert all(b"Subject: Hi N%d\r\n" % n in contents and b"<j%d@mail.example.com>" % n in contents for n in range(20))


async def test_messages_go_to_their_provider_and_unknown_ones_to_the_default() -> None:
    default, bulk = Inbox(), Inbox()
    async with aiosmtpd_server(default) as port, aiosmtpd_server(bulk) as bulk_port:
        deliverer = Deliverer(settings(port, bulk={"port": bulk_port}), {}, Shelf().fetch)
        plain = MailMessage(to="ana@example.org", subject="s", text="x")
        for provider in ("bulk", "default", "no-such"):
            assert await deliverer.deliver(plain, "j", provider) == DELIVERED
        assert set(deliverer.connections) == {"default", "bulk"}
        await deliverer.close()
    assert (len(default.envelopes), len(bulk.envelopes)) == (2, 1)


async def test_a_message_that_cannot_be_made_fails_without_a_connection() -> None:
    shelf = Shelf((TEMPLATE.template_id, encode(TEMPLATE)), ("broken", b"{}"))
    deliverer = Deliverer(settings(), {}, shelf.fetch)
    unknown = await deliverer.deliver(letter(template="gone"), "j", "default")
    broken = await deliverer.deliver(letter(template="broken"), "j", "default")
    unnamed = await deliverer.deliver(letter().model_copy(update={"params": {}}), "j", "default")
    for result in (unknown, broken, unnamed):
        assert (result.outcome, result.scope) == (Outcome.FAILED, Scope.MESSAGE)
    assert unknown.reason == "no template gone"
    assert "'name' is undefined" in unnamed.reason
    assert deliverer.connections == {}


async def test_a_store_that_is_away_gives_the_message_back() -> None:
    shelf = Shelf((TEMPLATE.template_id, encode(TEMPLATE)))
    deliverer = Deliverer(settings(default={"transport": "null"}), {}, shelf.fetch)
    shelf.away = True
    assert (await deliverer.deliver(letter(), "j", "default")).outcome is Outcome.RELEASE
    shelf.away = False
    assert await deliverer.deliver(letter(), "j", "default") == DELIVERED


async def test_a_missing_password_costs_no_message_an_attempt() -> None:
    deliverer = Deliverer(settings(default={"username": "shop", "password_env": "SHOP_PASSWORD"}), {}, Shelf().fetch)
    result = await deliverer.deliver(MailMessage(to="a@example.org", text="x"), "j", "default")
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.ACCOUNT, False)
    assert "SHOP_PASSWORD" in result.reason
