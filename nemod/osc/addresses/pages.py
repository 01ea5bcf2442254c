"""Lists that are longer than a packet: answered in pages, each with the total and its offset."""

from collections.abc import Sequence

from nemod.osc.encode import encode, string_size

_ROOM_FOR_HEAD = 80
"""[bytes] Kept free for address and numbers where a name has to be cut."""


def page(address: str, room: int, offset: int, entries: Sequence[tuple[int | str, ...]]) -> bytes:
    """Return as many entries as fit `room` [bytes], from `offset` on: total, offset, entries.

    An entry is numbers or short texts and, last, a name. A name that fits no packet is cut: the
    ones after it could not be listed otherwise.
    """
    offset = min(max(offset, 0), len(entries))
    left = room - string_size(address) - 8
    tags = "ii"
    values: list[int | str] = []
    for entry in entries[offset:]:
        own = "".join("s" if isinstance(value, str) else "i" for value in entry)
        left -= sum(string_size(value) if isinstance(value, str) else 4 for value in entry)
        if left < string_size("," + tags + own):
            break
        values += entry
        tags += own
    if not values and offset < len(entries) and room >= _ROOM_FOR_HEAD * 2:
        *before, name = entries[offset]
        values = [*before, _cut(str(name), room - _ROOM_FOR_HEAD)]
        tags = "ii" + "".join("s" if isinstance(value, str) else "i" for value in values)
    return encode(address, tags, len(entries), offset, *values)


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
