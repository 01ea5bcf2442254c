"""Writes a chain as plain data, which `nemod.chain.reader` reads."""

from nemod.chain.chain import Chain, Slot, Split

KIND = "kind"
"""Key of what a slot holds, where its name does not tell."""
Entry = str | dict[str, dict[str, object]]
"""A slot: its name, or its name with what is in it."""


def plain_chain(chain: Chain, *, with_hashes: bool = True) -> list[Entry]:
    """Return a chain as lists, mappings, texts and numbers, as short as possible.

    `with_hashes` False leaves out the hashes of files, which players have no use for.
    """
    entries: list[Entry] = []
    for place in chain.places:
        if isinstance(place, Split):
            content: dict[str, object] = _kind(place.name, place.kind)
            content["a"] = [_entry(slot, with_hashes=with_hashes) for slot in place.a]
            content["b"] = [_entry(slot, with_hashes=with_hashes) for slot in place.b]
            entries.append({place.name: content})
        else:
            entries.append(_entry(place, with_hashes=with_hashes))
    return entries


def _entry(slot: Slot, *, with_hashes: bool) -> Entry:
    content = _kind(slot.name, slot.kind)
    if slot.file:
        content["file"] = slot.file
    if slot.file and slot.sha256 and with_hashes:
        content["sha256"] = slot.sha256
    if slot.size is not None:
        content["size"] = slot.size
    return {slot.name: content} if content else slot.name


def _kind(name: str, kind: str) -> dict[str, object]:
    """Return the kind of a slot where its name does not tell."""
    return {} if name.rstrip("0123456789") == kind else {KIND: kind}
