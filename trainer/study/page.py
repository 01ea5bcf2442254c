"""Generates a self-contained HTML page with embedded images."""

import base64
from collections.abc import Iterable
from html import escape

from trainer.study.tables import Table

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.45 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 54rem; margin: 0 auto; padding: 0.8rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
img { max-width: 100%; height: auto; display: block; margin: 0.5rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; text-align: left; border-bottom: 1px solid #ddd;
         white-space: nowrap; }
th { border-bottom: 2px solid #888; }
p.note { color: #555; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Return the HTML document."""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</body></html>\n",
        ]
    )


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def note(text: str) -> str:
    """Return an explanatory paragraph."""
    return f'<p class="note">{escape(text)}</p>'


def picture(png: bytes, caption: str) -> str:
    """Return an embedded image with `caption` as its alternative text."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'


def table(grid: Table) -> str:
    """Return a table that scrolls horizontally on a narrow screen."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in grid.heading)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in grid.rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
