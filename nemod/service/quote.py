"""Any text as one word of a unit file, by the rules of systemd.syntax(7) and systemd.service(5)."""

import os
import string

from nemod.common.errors import NemodError

_PLAIN = frozenset(string.ascii_letters + string.digits + "_/.,=+-")
"""What may stand for itself, outside quotes."""


class QuoteError(NemodError):
    """A text that no unit file can hold."""


def word(text: str) -> str:
    """Return a text as one word, in which systemd reads the text again.

    `%` would begin a specifier and is doubled. `$` is left alone: the command lines of our units
    begin with a colon, and elsewhere it means nothing. What cannot be seen, and what is no UTF-8
    in a file's name, is written byte by byte.

    Raises: QuoteError for a zero byte, which nothing can hold.
    """
    if "\0" in text:
        raise QuoteError(f"{text!r}: a zero byte cannot stand in a unit file")
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + "".join(map(_written, text)) + '"'


def _written(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    if sign == "%":
        return "%%"
    if sign.isprintable():
        return sign
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign))


def program(path: str) -> str:
    """Return the path of a program as the first word of a command line.

    Raises: QuoteError for what systemd takes in arguments, but not in the name of a program.
    """
    if not os.path.isabs(path) or not path.isprintable() or not set("\"'\\").isdisjoint(path):
        raise QuoteError(
            f"{path!r}: systemd starts programs by a full path without quotes, backslashes and "
            "control characters; install nemod somewhere else"
        )
    return word(path)


def mount(path: str) -> str:
    """Return a path as one word of a list of mounts; there quotes keep a colon as it is.

    Raises: QuoteError for control characters, which such a list has no escapes for.
    """
    if not path.isprintable():
        raise QuoteError(f"{path!r}: a folder with control characters in its name cannot be served")
    return word(path)
