"""A worker's way of sending mail: composes a message and hands it to its provider's transport."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from queuectl.mail.compose import ComposeError
from queuectl.mail.composer import Composer
from queuectl.mail.replies import Disposition, Outcome, Scope
from queuectl.mail.rules import Rules, rules_for
from queuectl.mail.smtp import ConnectionLeases
from queuectl.mail.templates import Renderer, TemplateError, decode
from queuectl.mail.transport import CommitPoint, Transport
from queuectl.mail.transports import open_transport
from queuectl.model import MailMessage, ServerError, UsageError
from queuectl.settings import Settings

_CACHED_TEMPLATES = 256


class Deliverer:
    """Owned by one worker, used on its event loop; keeps transports by provider and compiled templates by id."""

    def __init__(self, settings: Settings, environ: Mapping[str, str],
                 fetch_template: Callable[[str], Awaitable[bytes | None]],
                 leases: Callable[[str], ConnectionLeases] | None = None) -> None:  # fmt: skip
        """`fetch_template` reads what `templates.encode` wrote; None: no such template. `leases` gives a provider's
        connections over all workers; None: every worker by itself."""
        self._settings = settings
        self._environ = environ
        self._fetch_template = fetch_template
        self._leases = leases
        self._composer = Composer(settings, environ)
        self._fetching = asyncio.Lock()
        self._renderers: OrderedDict[str, Renderer] = OrderedDict()
        self._transports: dict[str, Transport] = {}
        self._rules: dict[str, Rules] = {}

    @property
    def connections(self) -> dict[str, int]:
        """Open connections by provider."""
        return {name: transport.connections for name, transport in self._transports.items()}

    def ready(self, provider: str) -> bool:
        """False while `provider` cannot be reached: do not claim messages for it."""
        transport = self._transports.get(self._settings.provider_name(provider))
        return transport is None or transport.ready

    def doubtful(self, provider: str) -> bool:
        """The last try to reach `provider` failed: claim no more than one message for it."""
        transport = self._transports.get(self._settings.provider_name(provider))
        return transport is not None and transport.doubtful

    async def deliver(self, message: MailMessage, job_id: str, provider: str, queue: str = "",
                      commit_point: CommitPoint | None = None) -> Disposition:  # fmt: skip
        """Try once. Every failure of message, template, network or server is in the disposition. `queue`: bulk ones get
        unsubscribe headers. What `commit_point` raises goes up to the caller."""
        try:
            renderer = await self._renderer(message.template) if message.template else None
            composed = await self._composer.compose(message, job_id, renderer, queue)
            transport = self._transport(provider)
        except (ComposeError, TemplateError) as error:
            return Disposition(Outcome.FAILED, Scope.MESSAGE, True, str(error))
        except UsageError as error:
            return Disposition(Outcome.RETRY, Scope.ACCOUNT, False, str(error))
        except ServerError as error:
            return Disposition(Outcome.RELEASE, None, False, str(error))
        return self._judge(provider, await transport.send(composed, commit_point))

    async def close(self) -> None:
        """Close every transport."""
        await asyncio.gather(*(transport.close() for transport in self._transports.values()))

    def _judge(self, provider: str, found: Disposition) -> Disposition:
        """What the provider's rules make of a reply."""
        if found.reply is None:
            return found
        name = self._settings.provider_name(provider)
        if name not in self._rules:
            self._rules[name] = rules_for(self._settings.provider(name))
        return self._rules[name].judge(found)

    def _transport(self, provider: str) -> Transport:
        name = self._settings.provider_name(provider)
        if name not in self._transports:
            leases = self._leases(name) if self._leases else None
            self._transports[name] = open_transport(self._settings.provider(name), self._environ, leases)
        return self._transports[name]

    async def _renderer(self, template_id: str) -> Renderer:
        if template_id not in self._renderers:
            async with self._fetching:
                if template_id not in self._renderers:
                    self._renderers[template_id] = await self._load(template_id)
                    if len(self._renderers) > _CACHED_TEMPLATES:
                        self._renderers.popitem(last=False)
        return self._renderers[template_id]

    async def _load(self, template_id: str) -> Renderer:
        blob = await self._fetch_template(template_id)
        if blob is None:
            raise TemplateError(f"no template {template_id}")
        return Renderer(decode(template_id, blob))
