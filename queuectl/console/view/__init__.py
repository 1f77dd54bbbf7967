"""Pure: pictures to rows and words. Nothing here reads a clock, a terminal or a link."""

from queuectl.console.view.look import Line, Look, Span, line_text

__all__ = ["Line", "Look", "Span", "line_text"]
