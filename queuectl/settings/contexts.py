"""Servers one can turn to by name: `queuectl --context NAME`, and the console's switcher."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from queuectl.settings.section import Section

Colour = Literal["", "red", "yellow", "green", "blue", "purple", "cyan"]
"""In the theme's shade; empty: red for production, else blue."""


class EnvironmentSettings(Section):
    name: str = Field(default="", max_length=16)
    """Shown in the header on every screen: PROD, staging, …"""
    production: bool = False
    """Every change asks for the queue's name to be typed."""
    colour: Colour = ""
    """Of the name in the header and in every dialog; empty: red for production, else blue."""
    read_only: bool = False
    """The gate refuses every change."""


class ContextSettings(Section):
    url: str = Field(min_length=1)
    """As `server.url`."""
    name: str = Field(default="", max_length=16)
    """Shown in the header; empty: the context's own name."""
    production: bool = False
    colour: Colour = ""
    read_only: bool = False

    def environment(self, key: str, own: EnvironmentSettings) -> EnvironmentSettings:
        """`key`: the context's name in the settings. Who may only look may only look everywhere: `own.read_only`."""
        return EnvironmentSettings(name=self.name or key[:16], production=self.production, colour=self.colour,
                                   read_only=self.read_only or own.read_only)  # fmt: skip
