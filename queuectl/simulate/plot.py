"""The backlog by tier over time, drawn with plotext."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.simulate.result import Moment

TIERS = {"primary": "p", "surge": "s", "overflow": "o", "shed": "x"}
"""What is drawn, with the letter that marks it where colours cannot. Shed counts up."""
TICKS = 4
LEGEND_HEIGHT = 0.8
"""Where the legend hangs at the right edge, in heights of the plot: under a curve of what was shed."""
_FRAME = str.maketrans("┌┐└┘─│┤├┬┴", "++++-|++++")


def draw(history: Sequence[Moment], title: str, *, width: int, height: int, colour: bool, ascii_only: bool) -> str:
    """Lines of text, `height` high. Without colour, letters tell the tiers apart."""
    from plotext import figure

    end_min = max(history[-1].at_s / 60, 1.0)
    top = max(1, *(getattr(moment, tier) for moment in history for tier in TIERS))
    figure.clear.all()
    figure.plot_size(width, height)
    figure.theme("simple")
    figure.title(title)
    for tier, letter in TIERS.items():
        points = [(moment.at_s / 60, held) for moment in history if (held := getattr(moment, tier))]
        marker = "braille" if colour and not ascii_only else letter
        signal = figure.signal([at for at, _ in points], [held for _, held in points], marker=marker)
        figure.draw(signal.lines(True).label(tier))
    figure.legend(True, end_min, top * LEGEND_HEIGHT, ha="right", relative=True)
    times = [end_min * part / TICKS for part in range(TICKS + 1)]
    counts = [top * part / TICKS for part in range(TICKS + 1)]
    figure.ruler(0).lim(0, end_min)
    figure.ruler(1).lim(0, top)
    figure.ruler(0).ticks(times, [f"{time:.0f} min" for time in times])
    figure.ruler(1).ticks(counts, [f"{count:,.0f}" for count in counts])
    drawn: str = figure.build().string(colorless=not colour)
    return drawn.translate(_FRAME) if ascii_only else drawn
