"""Names of keys, as the file of bindings has them, and their codes in Linux's input interface.

Codes are those of <linux/input-event-codes.h>. A key that is not listed is given by its code, which
`nemod midi monitor` shows.
"""

from collections.abc import Mapping

_ROWS = (
    (1, "ESC 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL BACKSPACE TAB"),
    (16, "Q W E R T Y U I O P LEFTBRACE RIGHTBRACE ENTER LEFTCTRL"),
    (30, "A S D F G H J K L SEMICOLON APOSTROPHE GRAVE LEFTSHIFT BACKSLASH"),
    (44, "Z X C V B N M COMMA DOT SLASH RIGHTSHIFT KPASTERISK LEFTALT SPACE CAPSLOCK"),
    (59, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NUMLOCK SCROLLLOCK"),
    (71, "KP7 KP8 KP9 KPMINUS KP4 KP5 KP6 KPPLUS KP1 KP2 KP3 KP0 KPDOT"),
    (87, "F11 F12"),
    (96, "KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT"),
    (102, "HOME UP PAGEUP LEFT RIGHT END DOWN PAGEDOWN INSERT DELETE"),
    (113, "MUTE VOLUMEDOWN VOLUMEUP POWER"),
    (163, "NEXTSONG PLAYPAUSE PREVIOUSSONG STOPCD"),
)

KEYS: Mapping[str, int] = {
    name: first + place for first, names in _ROWS for place, name in enumerate(names.split())
}
"""Code by name, without the `KEY_` of the kernel's header."""
_NAMES = {code: name for name, code in KEYS.items()}
LAST_KEY = 0x2FF


def key_name(code: int) -> str:
    """Return the name of a key, or its code."""
    return _NAMES.get(code, str(code))


def key_code(text: str) -> int:
    """Return the code of a key by name, in any case and with or without `KEY_`, or by code.

    Raises: ValueError.
    """
    name = text.strip().upper().removeprefix("KEY_")
    if name in KEYS:  # a single digit is the name of a key
        return KEYS[name]
    if name.isdecimal() and len(name) < 4 and int(name) <= LAST_KEY:
        return int(name)
    raise ValueError(
        f"the name of a key, such as PAGEDOWN, or its code up to {LAST_KEY} is expected"
    )
