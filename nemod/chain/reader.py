"""Reads a chain from plain data, as YAML or JSON gives it.

A chain is a list. An entry is the name of a slot, or one key, the name, with what is in the slot:

    - gate
    - pedal: {kind: model, file: muff-gru40}
    - split:
        a: [model2, cab]
        b: [{model3: {file: clean-amp}}]
    - eq
    - delay
    - delay2

The kind is the name without the digits at its end, unless `kind` is given.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nemod.chain.chain import (
    DEFAULT_CHAIN,
    FILE_KINDS,
    KINDS,
    MAX_FILE_NAME,
    MAX_MODELS,
    MAX_SLOTS,
    MODEL,
    SPLIT,
    Chain,
    Slot,
    Split,
)
from nemod.common.errors import NemodError, did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")
_HASH = re.compile(r"[0-9a-f]{64}")
_SHOWN = 80
"""[characters] What an error repeats of a wrong value."""
# fmt: off
RESERVED = frozenset((
    "bass", "bye", "bypass", "chain", "clear_sched", "done", "error", "flag", "gain", "index",
    "info", "input", "knob", "layout", "level", "lfo", "list", "main", "meter", "mid", "midi",
    "mute", "notify", "output", "panic", "ping", "pong", "preset", "real", "refresh", "size",
    "snapshot", "status", "subscribe", "subscribed", "sync", "synced", "tempo", "text",
    "toggle", "treble", "tuner", "tx", "unsubscribe",
))
# fmt: on
"""Names that no slot can have, because other addresses begin with them."""


def is_text(path: tuple[str, ...]) -> bool:
    """Return whether the value at these keys is a text, also where YAML reads a number."""
    return bool(path) and path[-1] in ("file", "sha256", "kind")


def can_be_name(name: str) -> bool:
    """Return whether a slot can have this name, as far as no other slot has it."""
    return bool(_NAME.fullmatch(name)) and name not in RESERVED


class ChainError(NemodError):
    """All problems of a chain, so that they can be fixed at once."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """`source` is where the chain was given; each of `problems` is a sentence."""
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


def read_chain(data: object, source: str = "chain") -> Chain:
    """Return the chain in plain data: lists, mappings, texts and numbers.

    `source` is what errors name as the place. Raises: ChainError with all problems.
    """
    reader = _Reader()
    chain = reader.chain(data)
    if reader.problems:
        raise ChainError(source, reader.problems)
    return chain


def read_leniently(data: object) -> tuple[Chain, list[str]]:
    """Return what can be used of a chain that was kept in a file, and the problems of the rest.

    A slot that is wrong is left out, and a wrong value in one has its default. What is no list is
    the default chain.
    """
    reader = _Reader(is_lenient=True)
    chain = reader.chain(data)
    return (chain if isinstance(data, list | tuple) else DEFAULT_CHAIN), reader.problems


class _Reader:
    """Gathers the problems of a chain while it is read."""

    def __init__(self, *, is_lenient: bool = False) -> None:
        """`is_lenient`: slots beyond the limits are left out, one by one."""
        self.problems: list[str] = []
        self._is_lenient = is_lenient
        self._names: list[str] = []
        self._kinds: set[str] = set()
        self._models = 0
        self._has_split = False

    def chain(self, data: object) -> Chain:
        places = [self._place(at, entry) for at, entry in self._entries("the chain", data)]
        chain = Chain(tuple(place for place in places if place is not None))
        slots = list(chain)
        if len(slots) > MAX_SLOTS:
            self.problems.append(f"{len(slots)} slots: at most {MAX_SLOTS} are allowed")
        models = len(chain.of_kind(MODEL))
        if models > MAX_MODELS:
            self.problems.append(f"{models} models: at most {MAX_MODELS} are allowed")
        return chain

    def _entries(self, what: str, data: object) -> Iterable[tuple[str, object]]:
        """Return the entries of a list, each with what an error calls it."""
        if not isinstance(data, list | tuple):
            self.problems.append(f"{what} is {_short(data)}: a list of slots is expected")
            return []
        if len(data) > MAX_SLOTS:
            self.problems.append(f"{what} has {len(data)} entries: at most {MAX_SLOTS} are allowed")
            data = data[:MAX_SLOTS] if self._is_lenient else []
        return [(f"entry {number + 1} of {what}", entry) for number, entry in enumerate(data)]

    def _place(self, at: str, entry: object, branch: str = "") -> Slot | Split | None:
        name: object
        content: object
        if isinstance(entry, str):
            name, content = entry, {}
        elif isinstance(entry, Mapping) and len(entry) == 1:
            ((name, content),) = entry.items()
            content = {} if content is None else content
        else:
            self.problems.append(
                f"{at} is {_short(entry)}: the name of a slot is expected, or one name with what "
                "is in the slot"
            )
            return None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.problems.append(
                f"{at}: slot name {_short(name)}: a letter a to z is expected, then at most 15 "
                "letters, digits or _"
            )
            return None
        if not isinstance(content, Mapping):
            self.problems.append(f"slot {name!r} is {_short(content)}: keys are expected")
            return None
        kind = self._kind(name, content)
        if kind is None or not self._has_room(name, kind) or not self._is_free(name, kind):
            return None
        self._kinds.add(kind)
        self._models += kind == MODEL
        if kind == SPLIT:
            return self._split(name, content, branch)
        return self._slot(name, kind, content)

    def _kind(self, name: str, content: Mapping[Any, Any]) -> str | None:
        plain = name.rstrip("0123456789")
        kind = content.get("kind", plain)
        allowed = f"one of {', '.join(KINDS)} is expected"
        if "kind" in content:
            if not isinstance(kind, str) or kind not in KINDS:
                near = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
                self.problems.append(f"slot {name!r}: kind {_short(kind)}: {allowed}{near}")
                return None
            if plain in KINDS and plain != kind:
                self.problems.append(
                    f"slot {name!r}: kind {kind!r}: a slot of this name is of the kind {plain!r}"
                )
                return None
        elif kind not in KINDS:
            near = did_you_mean(plain, KINDS)
            self.problems.append(
                f"slot {name!r}: its kind is missing ({{kind: ...}}): {allowed}{near}"
            )
            return None
        return str(kind)

    def _has_room(self, name: str, kind: str) -> bool:
        """Return whether a slot is within the limits, where that is decided for each; notes it."""
        if not self._is_lenient:
            return True
        is_one_too_many = kind == MODEL and self._models >= MAX_MODELS
        if len(self._names) >= MAX_SLOTS or is_one_too_many:
            limit = f"{MAX_MODELS} models" if is_one_too_many else f"{MAX_SLOTS} slots"
            self.problems.append(f"slot {name!r}: at most {limit} are allowed")
            return False
        return True

    def _is_free(self, name: str, kind: str) -> bool:
        """Return whether a slot may have this name; notes why not."""
        if name in RESERVED:
            self.problems.append(f"slot {name!r}: the name is that of another address")
        elif name in self._names:
            self.problems.append(f"slot {name!r} occurs twice: every name is given once")
        elif name == kind and kind in self._kinds:
            self.problems.append(
                f"slot {name!r}: only the first {kind} of a chain can have this name, because "
                f"/nemo/{name} is its address; for example {name}2 is allowed"
            )
        else:
            self._names.append(name)
            return True
        return False

    def _slot(self, name: str, kind: str, content: Mapping[Any, Any]) -> Slot:
        known = ["kind"]
        if kind in FILE_KINDS:
            known += ["file", "sha256"]
        if kind == MODEL:
            known.append("size")
        self._check_keys(name, content, known)
        return Slot(
            name=name,
            kind=kind,
            file=self._file(name, content.get("file", "")) if kind in FILE_KINDS else "",
            sha256=self._hash(name, content.get("sha256", "")) if kind in FILE_KINDS else "",
            size=self._size(name, content.get("size")) if kind == MODEL else None,
        )

    def _split(self, name: str, content: Mapping[Any, Any], branch: str) -> Split | None:
        if branch or self._has_split:
            where = f" in branch {branch} of another one" if branch else ""
            self.problems.append(f"slot {name!r}: a second split{where}: one is allowed")
            return None
        self._has_split = True
        self._check_keys(name, content, ["kind", "a", "b"])
        branches = []
        for key in ("a", "b"):
            given = content.get(key)
            what = f"branch {key} of {name!r}"
            entries = self._entries(what, [] if given is None else given)
            slots = [self._place(at, entry, key) for at, entry in entries]
            branches.append(tuple(slot for slot in slots if isinstance(slot, Slot)))
        return Split(name=name, a=branches[0], b=branches[1])

    def _check_keys(self, name: str, content: Mapping[Any, Any], known: Sequence[str]) -> None:
        for key in content:
            if key not in known:
                near = did_you_mean(key, known) if isinstance(key, str) else ""
                allowed = f"{', '.join(known)} are allowed"
                self.problems.append(f"slot {name!r}: key {_short(key)}: {allowed}{near}")

    def _file(self, name: str, file: object) -> str:
        """Return the name of a file, also one that YAML reads as a number, such as 5150."""
        if isinstance(file, int | float) and not isinstance(file, bool):
            file = str(file)
        if file is None:
            return ""
        if not isinstance(file, str) or len(file) > MAX_FILE_NAME or any(map(_is_control, file)):
            self.problems.append(
                f"slot {name!r}: file {_short(file)}: the name of a file in the library is expected"
            )
            return ""
        return file

    def _hash(self, name: str, sha256: object) -> str:
        if sha256 in ("", None):
            return ""
        if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
            self.problems.append(
                f"slot {name!r}: sha256 {_short(sha256)}: 64 hexadecimal digits are expected"
            )
            return ""
        return sha256

    def _size(self, name: str, size: object) -> float | None:
        if size is None:
            return None
        is_number = isinstance(size, int | float) and not isinstance(size, bool)
        if is_number and 0.0 <= size <= 1.0:  # type: ignore[operator] # NaN is none of them
            return float(size)  # type: ignore[arg-type]
        self.problems.append(f"slot {name!r}: size {_short(size)}: 0 to 1 is allowed")
        return None


def _is_control(sign: str) -> bool:
    return ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or 0xD800 <= ord(sign) < 0xE000


def _short(value: object) -> str:
    """Return a wrong value as an error shows it."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
