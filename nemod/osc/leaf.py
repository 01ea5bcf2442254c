"""One end of the tree: what can be asked of an address, and what can be sent to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from nemod.common.errors import OscError
from nemod.osc.codec import Value
from nemod.osc.encode import encode
from nemod.osc.host import Answer, Host
from nemod.osc.values import Kind

LONGEST_GUESS = 64
"""[characters] Longer names get no "did you mean": comparing costs more than it helps."""


class Request(Protocol):
    """What an action may do while a packet is performed."""

    @property
    def host(self) -> Host:
        """The daemon."""
        ...

    def set(self, path: str, position: float) -> None:
        """Move a knob; the packet's one commit follows at its end."""
        ...

    def echo(self, address: str) -> None:
        """Tell the sender at the end of the packet where this address stands."""
        ...

    def reply(self, message: bytes) -> None:
        """Send an encoded message to the sender."""
        ...

    def slow(self, address: str, work: Callable[[Answer], None]) -> None:
        """Begin slow work; its answer becomes `/nemo/done` or `/nemo/error`."""
        ...

    def load(self, address: str, name: str) -> None:
        """Begin to load a model on behalf of this address."""
        ...

    def wanted_model(self) -> str:
        """Return the model that was asked for last, or the one that plays if that is settled."""
        ...

    def sync(self, number: int) -> None:
        """Answer `/nemo/synced` when all slow work that the sender began before is done."""
        ...


Action = Callable[[Request], None]
"""Carries out what was checked; raises nothing that a sender could cause."""
Reader = Callable[[Host, int, int], bytes]
"""(host, room [bytes], offset) -> encoded message of at most `room` bytes, where its content can be
shortened; `offset` is the first entry of a list."""
Checker = Callable[[Host, str, Value], Action]
"""(host, type tag, value) -> action. Raises OscError, and then nothing has been touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """An address that can be set, asked or fired."""

    address: str
    kind: Kind
    help: str
    range: str = ""
    """What the reference page says of the allowed values."""
    read: Reader | None = None
    check: Checker | None = None
    by_pattern: bool = False
    """Whether a wildcard can reach it: numbers and switches only."""
    is_large: bool = False
    """Whether its answer can be long, so that only some senders get it whole."""


class UnknownError(OscError):
    """Something asked for by a name that is not there; the nearest name is looked for on demand.

    Looking takes a while, and most errors of a storm are never sent.
    """

    def __init__(
        self, code: str, address: str, text: str, given: str, allowed: Callable[[], Iterable[str]]
    ) -> None:
        """`allowed` gives the names among which `given` is not."""
        self._given = given
        self._allowed = allowed
        super().__init__(code, address, text)

    def hint(self) -> str:
        """Return `, did you mean 'x'?`, any case, or nothing."""
        if len(self._given) > LONGEST_GUESS:
            return ""
        names = {_tail(name): name for name in self._allowed()}
        near = get_close_matches(_tail(self._given), names, n=1, cutoff=0.6)
        return f", did you mean {names[near[0]]!r}?" if near else ""


def _tail(name: str) -> str:
    # What all addresses have in common must not count as likeness.
    return name.casefold().removeprefix("/").removeprefix("nemo/")


def reader(address: str, kind: Kind, value: Callable[[Host], str | int | float | bool]) -> Reader:
    """Return a reader that answers one value of this kind."""

    def read(host: Host, room: int, offset: int) -> bytes:
        now = value(host)
        match kind:
            case Kind.FLOAT:
                return encode(address, "f", now)
            case Kind.INT:
                return encode(address, "i", now)
            case Kind.BOOL:
                return encode(address, "T" if now else "F")
            case _:
                return encode(address, "s", now)

    return read


def nothing(request: Request) -> None:
    """Do nothing: the action of a button that is released."""
