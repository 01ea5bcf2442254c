"""A leaf of the address tree: what can be asked of an address, and what can be sent to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.values import LeafKind
from nemod.osc.codec import Value
from nemod.osc.encode import encode


class Request(Protocol):
    """What an action may do while a packet is carried out."""

    @property
    def controller(self) -> Controller:
        """The control core."""
        ...

    @property
    def source(self) -> Source:
        """Who sent the packet."""
        ...

    @property
    def may_write(self) -> bool:
        """Whether the sender may delete what is kept."""
        ...

    def echo(self, address: str) -> None:
        """Answer with the value of this address after the whole packet was carried out."""
        ...

    def reply(self, message: bytes) -> None:
        """Send an encoded message to the sender."""
        ...

    def job(self, address: str, start: Callable[[], Job]) -> None:
        """Start a background job; its end is answered by `/nemo/done` or `/nemo/error`."""
        ...

    def sync(self, number: int) -> None:
        """Answer `/nemo/synced` when all jobs that the sender started before have ended."""
        ...


Action = Callable[[Request], None]
"""Carries out what was checked; raises nothing that a sender could cause."""
Reader = Callable[[Controller, int, int], bytes]
"""(controller, room [bytes], offset) -> encoded message of at most `room` bytes, where its content
can be shortened; `offset` is the first entry of a list."""
Checker = Callable[[Controller, str, Value], Action]
"""(controller, type tag, value) -> action. Raises OscError, and then nothing has been changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """An address that can be set, queried or triggered."""

    address: str
    kind: LeafKind
    help: str
    range: str = ""
    """Allowed values, for the reference page."""
    low: float | None = None
    high: float | None = None
    """[unit] Lowest and highest number; None where there is no limit."""
    choices: Callable[[Controller], Sequence[tuple[int, str]]] | None = None
    """Returns what it takes: each number with its name."""
    unit: str = ""
    """Unit of its numbers, as `dB`; empty for positions (0..1), shares and counts."""
    tags: tuple[str, ...] = ()
    """Words by which a client can select addresses."""
    read: Reader | None = None
    check: Checker | None = None
    wildcard_settable: bool = False
    """Whether a wildcard can reach it: numbers and switches only."""
    needs_value: bool = True
    """Without one it is triggered, where it can be; see `kind`."""
    is_large: bool = False
    """Whether its answer can be long; senders on other machines get a short version."""


def reader(
    address: str, kind: LeafKind, value: Callable[[Controller], str | int | float | bool]
) -> Reader:
    """Return a reader that answers one value of this kind."""

    def read(controller: Controller, room: int, offset: int) -> bytes:
        now = value(controller)
        match kind:
            case LeafKind.FLOAT:
                return encode(address, "f", now)
            case LeafKind.INT:
                return encode(address, "i", now)
            case LeafKind.BOOL:
                return encode(address, "T" if now else "F")
            case _:
                return encode(address, "s", now)

    return read


def ignore(request: Request) -> None:
    """Do nothing: the action of a button that is released."""
