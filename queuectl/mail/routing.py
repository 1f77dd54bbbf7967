"""Events made into messages, by the routes in the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from queuectl.mail.templates import Template, encode, read_template, variables
from queuectl.model import Admission, Event, MailMessage, Published, UsageError, Verdict
from queuectl.settings import RouteSettings, Settings
from queuectl.store.fan_out import Addressed

DEFAULT = "default"
"""The routes of events whose kind has none."""


@dataclass(slots=True)
class Routed:
    """The messages of one event."""

    addressed: list[Addressed] = field(default_factory=list)
    templates: dict[str, bytes] = field(default_factory=dict)
    """What the messages need, by id, for the store."""
    invalid: list[Published] = field(default_factory=list)
    """Recipients that are no mail addresses."""
    unrouted: bool = False
    """The kind was unknown: the default routes took it."""


class Router:
    """Reads each template once."""

    def __init__(self, settings: Settings) -> None:
        self._routes = settings.routes
        self._folder = Path(settings.delivery.template_dir)
        self._templates: dict[str, tuple[Template, frozenset[str]]] = {}

    def route(self, event: Event) -> Routed:
        """Raises UsageError when no route takes the event, a template cannot be read, or the event lacks a field."""
        routed = Routed(unrouted=event.kind not in self._routes)
        for route in self._routes_of(event):
            template, used = self._template(route.template)
            routed.templates[template.template_id] = encode(template)
            for to, scope in _recipients(event, route):
                self._address(routed, event, route, to, _params(event, route, used, scope))
        return routed

    def _routes_of(self, event: Event) -> tuple[RouteSettings, ...]:
        routes = self._routes.get(event.kind) or self._routes.get(DEFAULT)
        if not routes:
            known = ", ".join(sorted(self._routes)) or "none"
            raise UsageError(f"no route for events of kind {event.kind!r}, and no [[routes.{DEFAULT}]]; known: {known}")
        return routes

    def _template(self, path: str) -> tuple[Template, frozenset[str]]:
        if path not in self._templates:
            template = read_template(self._folder / path)
            self._templates[path] = template, variables(template)
        return self._templates[path]

    def _address(self, routed: Routed, event: Event, route: RouteSettings, to: str, params: dict[str, Any]) -> None:
        template, _ = self._template(route.template)
        try:
            message = MailMessage(to=to, template=template.template_id, params=params,
                                  ordering_key=_ordering_key(event, route))  # fmt: skip
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            verdict = Verdict(Admission.INVALID, detail=f"{where}: {problem['msg']}")
            routed.invalid.append(Published(route.queue, to, verdict))
        else:
            identity = "\0".join((event.kind, event.event_id, route.queue, route.template, to.strip().lower()))
            routed.addressed.append(Addressed(route.queue, message, identity))


def _recipients(event: Event, route: RouteSettings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each recipient with the variables that are its own."""
    found = route.to or _field(event, route.recipient, "recipient")
    for one in found if isinstance(found, list | tuple) else [found]:
        if isinstance(one, Mapping) and "to" in one:
            yield str(one["to"]), one
        elif isinstance(one, str) and one:
            yield one, {}
        elif one:
            raise UsageError(f"event {event.kind}: {route.recipient} holds {type(one).__name__}; a recipient is an "
                             "address or a table with `to`")  # fmt: skip


def _params(event: Event, route: RouteSettings, used: frozenset[str], own: Mapping[str, Any]) -> dict[str, Any]:
    """What the template uses, and no more: it is stored with every message."""
    scope = {"event": {"kind": event.kind, "id": event.event_id}, **event.data, **own}
    missing = sorted(used - scope.keys())
    if missing:
        raise UsageError(f"event {event.kind}: template {route.template} uses {', '.join(missing)}, which its data "
                         f"does not have; there are: {', '.join(sorted(scope))}")  # fmt: skip
    return {name: scope[name] for name in used}


def _ordering_key(event: Event, route: RouteSettings) -> str:
    return str(_field(event, route.ordering_key, "ordering key")) if route.ordering_key else ""


def _field(event: Event, path: str, what: str) -> Any:
    value: Any = event.data
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise UsageError(f"event {event.kind}: no field {path!r} in its data, which should hold the {what}")
        value = value[name]
    return value
