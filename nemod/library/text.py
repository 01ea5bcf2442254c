"""Text from file names and files, made safe for a terminal, a phone and a database."""

import unicodedata

_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that control a terminal or that cannot be encoded."""
_DIRECTION = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the writing direction: with them a name can look like another."""


def is_fit(text: str) -> bool:
    """Return whether a text has no control, unencodable or direction character."""
    return (text.isascii() and text.isprintable()) or not any(_is_unfit(char) for char in text)


def clean(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters without unfit ones."""
    words = "".join(" " if _is_unfit(char) else char for char in text[: 4 * limit]).split()
    line = " ".join(words)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _is_unfit(char: str) -> bool:
    return char in _DIRECTION or unicodedata.category(char) in _UNFIT
