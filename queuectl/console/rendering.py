"""A message's text part as its recipient would get it, addresses masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queuectl.policy.masking import mask_text


def rendered_text(message: Mapping[str, Any], template: bytes) -> str:
    """Render a stored template in its sandbox; what goes wrong is said instead."""
    from queuectl.mail.templates import Renderer, TemplateError, decode

    params = message.get("params")
    try:
        renderer = Renderer(decode(str(message.get("template", "")), template))
        return mask_text(renderer.render(params if isinstance(params, dict) else {}).text)
    except TemplateError as error:
        return f"cannot be rendered: {error}"
