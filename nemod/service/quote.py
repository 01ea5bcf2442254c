"""Any text as one word of a unit file, by the rules of systemd.syntax(7) and systemd.service(5)."""

import os
import string

from nemod.common.errors import NemodError

_PLAIN = frozenset(string.ascii_letters + string.digits + "_/.,=+-")
"""Characters that need no quotes."""


class QuoteError(NemodError):
    """A text that a unit file cannot contain."""


def word(text: str) -> str:
    """Return a text as one word, which systemd reads as exactly that text.

    `%` would begin a specifier and is doubled. `$` is left alone: the command lines of our units
    begin with a colon, and elsewhere it has no meaning. Unprintable characters, and bytes of a file
    name that are not UTF-8, are escaped byte by byte.

    Raises: QuoteError for a NUL byte.
    """
    if "\0" in text:
        raise QuoteError(f"{text!r}: a unit file cannot contain a NUL byte")
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    if sign == "%":
        return "%%"
    if sign.isprintable():
        return sign
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign))


def program(path: str) -> str:
    """Return the path of a program as the first word of a command line.

    Raises: QuoteError for what systemd accepts in arguments, but not in the name of a program.
    """
    if not os.path.isabs(path) or not path.isprintable() or not set("\"'\\").isdisjoint(path):
        raise QuoteError(
            f"{path!r}: systemd starts programs by an absolute path without quotes, backslashes "
            "and control characters; install nemod somewhere else"
        )
    return word(path)


def mount(path: str) -> str:
    """Return a path as one word of a list of mounts, in which quotes protect a colon.

    Raises: QuoteError for control characters, which cannot be escaped in such a list.
    """
    if not path.isprintable():
        raise QuoteError(
            f"{path!r}: a folder with control characters in its name cannot be mounted"
        )
    return word(path)
