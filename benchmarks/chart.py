"""A bar chart as SVG: a panel each claim, its bars as long as the ratios to the minimal client."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.report import Bars

WIDTH = 860
COLUMNS = 2
MARGIN = 16
NAME = 128  # for the client's name, left of its bar
NUMBER = 64  # for the ratio, right of it
BAR = 14
STEP = 20
TITLE = 30

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px }
.onellm { fill: #0969da }
.minimal { fill: #8c959f }
.peer { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .onellm { fill: #4493f8 } .minimal { fill: #6e7681 } .peer { fill: #3d444d }
}
"""


def svg(bars: Sequence[Bars], caption: str) -> str:
    """Each panel has a scale of its own, from nothing to its longest bar."""
    panel = (WIDTH - MARGIN * (COLUMNS + 1)) / COLUMNS
    parts: list[str] = []
    top = MARGIN + TITLE
    for first in range(0, len(bars), COLUMNS):
        row = bars[first : first + COLUMNS]
        for column, each in enumerate(row):
            left = MARGIN + column * (panel + MARGIN)
            parts += _panel(each, left, top, panel - NAME - NUMBER)
        top += TITLE + STEP * max(len(each.ratios) for each in row) + MARGIN
    head = f'<text class="title" x="{MARGIN}" y="{MARGIN + 8}">{escape(caption)}</text>'
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    body = "\n".join([f"<title>{escape(caption)}</title>", f"<style>{_STYLE}</style>", head, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>\n{body}\n</svg>\n'


def _panel(bars: Bars, left: float, top: float, longest: float) -> list[str]:
    parts = [f'<text class="title" x="{left:.0f}" y="{top + 14:.0f}">{escape(bars.title)}</text>']
    most = max(bars.ratios.values())
    for place, (name, ratio) in enumerate(bars.ratios.items()):
        y = top + TITLE - 6 + place * STEP
        width = max(ratio / most * longest, 1)
        kind = name if name in {"minimal", "onellm"} else "peer"
        shown = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"  # noqa: PLR2004 - digits that say something
        parts += [
            f'<text x="{left:.0f}" y="{y + 11:.0f}">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left + NAME:.0f}" y="{y:.0f}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{left + NAME + width + 6:.1f}" y="{y + 11:.0f}">{shown} x</text>',
        ]
    return parts
