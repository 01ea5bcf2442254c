"""Pieces of YAML as text that any reader of YAML 1.1 or 1.2 reads as it was written.

Texts are in double quotes, with escapes for what is not printable, and numbers have a point.
"""

import math
from typing import Any

from nemod.common.yaml_reader import Scalar

MAX_KEY = 100
"""[characters] Longest unknown key that is kept; YAML ends a key after 1,024, escapes included."""
MAX_DEPTH = 20
"""Deepest nesting of unknown values that is kept."""


def is_writable(key: str, value: Any, depth: int = MAX_DEPTH) -> bool:
    """Return whether an unknown key can be written so that it is read again."""
    if len(key) > MAX_KEY or not depth:
        return False
    if isinstance(value, dict):
        return all(is_writable(name, below, depth - 1) for name, below in value.items())
    if isinstance(value, list):
        return all(is_writable("", below, depth - 1) for below in value)
    return True


def decimal(value: float) -> str:
    """Return a number as YAML 1.1 and 1.2 read it; `1e-05` would be a text in YAML 1.1."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    digits, exponent, power = repr(float(value)).partition("e")
    return f"{digits if '.' in digits else digits + '.0'}{exponent}{power}"


def quoted(text: str) -> str:
    """Return a text in double quotes."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    code = ord(sign)
    return (
        f"\\x{code:02x}"
        if code < 1 << 8
        else f"\\u{code:04x}"
        if code < 1 << 16
        else f"\\U{code:08x}"
    )


def flow(value: object) -> str:
    """Return any value in one line; a single value of a file as it was written there."""
    if isinstance(value, Scalar):
        return flow(value.value) if isinstance(value.value, str) else value.text or "null"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(key)}: {flow(below)}' for key, below in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return decimal(value) if isinstance(value, float) else str(value)
