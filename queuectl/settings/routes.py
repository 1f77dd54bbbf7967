"""Which mail an event becomes."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from queuectl.model import QueueClass
from queuectl.model.message import ADDRESS
from queuectl.settings.section import Name, Section

PATH = r"^$|^[^.\s]+(\.[^.\s]+)*$"


class RouteSettings(Section):
    """One mail for each recipient of an event. Fields of the event's data are named by their path: `customer.email`."""

    queue: Name
    template: str = Field(min_length=1)
    """A template file, below `delivery.template_dir`."""
    recipient: str = Field(default="", pattern=PATH)
    """The field with the recipient: an address, or a table with the address in `to` and variables of its own, or a list
    of such. Empty ones get nothing."""
    to: str = Field(default="", max_length=254, pattern=rf"^$|{ADDRESS}")
    """The one recipient of all such events, in place of `recipient`."""
    ordering_key: str = Field(default="", pattern=PATH)
    """The field with the ordering key; empty: none."""
    queue_class: QueueClass | None = Field(default=None, alias="class")
    """Of the queue, where [queues] does not say."""
    provider: Name | None = None
    """Of the queue, where [queues] does not say."""

    @model_validator(mode="after")
    def _has_recipients(self) -> Self:
        if bool(self.recipient) == bool(self.to):
            raise ValueError("a route has either `recipient`, a field of the event, or `to`, an address")
        return self
