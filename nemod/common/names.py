"""Comparison and order of names, of models and whatever else a user names."""

import re
import unicodedata

_DIGITS = re.compile(r"(\d+)")

NaturalKey = tuple[tuple[str | tuple[int, str], ...], str]


def normal(text: str) -> str:
    """Return a text with each accented letter as one character (Unicode NFC).

    macOS writes file names with accents as characters of their own; keyboards and phones do not.
    """
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Return a text for comparison without regard to case or to the spelling of accents."""
    return normal(normal(text).casefold())


def natural_key(text: str) -> NaturalKey:
    """Return the key that sorts as people do: `gain 2` before `gain 10`, in any case.

    Runs of digits of any script and any length count as numbers. Texts that differ only in leading
    zeros or in case have a fixed order.
    """
    parts = _DIGITS.split(fold(text))
    return tuple(_number(part) if at % 2 else part for at, part in enumerate(parts)), text


def _number(digits: str) -> tuple[int, str]:
    # As text, longer first digits last: converting a long run to a number is refused by Python.
    plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0")
    return len(plain), plain
