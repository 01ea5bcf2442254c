"""A leaf of the address tree: what can be asked of an address, and what can be sent to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.flags import NO_FLAGS, Flags
from nemod.osc.addresses.values import LeafKind, to_trigger
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

    @property
    def time_s(self) -> float:
        """When the message was meant to happen, on the monotonic clock.

        The time tag of its bundle, or now where there is none or it is far from now.
        """
        ...

    def unchanged(self, address: str) -> None:
        """Note that the value which was sent to this address is now in force as it was sent.

        It is not sent back on this address. Called right after the parameter was set.
        """
        ...

    def adjusted(self, address: str) -> None:
        """Note that another value than the one sent to this address is in force.

        It is sent back, also if nothing has changed by it.
        """
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

    def subscribe(self, port: int | None, flags: Flags) -> None:
        """Send every change to the sender, or to another port of its host, for 60 s.

        Raises: OscError.
        """
        ...

    def unsubscribe(self, port: int | None) -> None:
        """End what `subscribe` began."""
        ...

    def refresh(self) -> None:
        """Send a subscriber everything again. Raises: OscError."""
        ...

    def set_meter_rate(self, rate_hz: float) -> None:
        """Change how often meters are sent to all subscribers."""
        ...

    def clear_scheduled(self) -> None:
        """Drop all bundles that wait for their time."""
        ...


Action = Callable[[Request], None]
"""Carries out what was checked. Raises OscError only for limits on how much there may be."""
Reader = Callable[[Controller, int, int], bytes]
"""(controller, room [bytes], offset) -> encoded message of at most `room` bytes, where its content
can be shortened; `offset` is the first entry of a list."""
Checker = Callable[[Controller, str, Value], Action]
"""(controller, type tag, value) -> action. Raises OscError, and then nothing has been changed."""
ArgumentsChecker = Callable[[Controller, str, Sequence[Value]], Action]
"""(controller, type tags, values) -> action, for any number of arguments. Raises OscError."""


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
    default: float | bool | None = None
    """What it holds until it is set; None where nothing says that."""
    unit: str = ""
    """Unit of its numbers, as `dB`; empty for positions (0..1), shares and counts."""
    type_tags: str = ""
    """Those of a typical message, where the kind does not say them."""
    read: Reader | None = None
    check: Checker | None = None
    check_all: ArgumentsChecker | None = None
    """Instead of `check`, where several arguments are taken."""
    wildcard_settable: bool = False
    """Whether a wildcard can reach it: numbers and switches only."""
    needs_write_access: bool = False
    """Whether only senders that may write are served."""
    needs_value: bool = True
    """Without one it is triggered, where it can be; see `kind`."""
    path: str = ""
    """Path of the parameter that it shows."""
    flags: Flags = NO_FLAGS
    """It is sent to subscribers that have all of these flags; without any, to nobody."""
    concerns_client: bool = False
    """It is about the connection with the client and changes nothing of the rig."""


def reader(
    address: str, kind: LeafKind, value: Callable[[Controller], str | int | float | bool]
) -> Reader:
    """Return a reader that answers one value of this kind."""

    def read(controller: Controller, room: int, offset: int) -> bytes:
        now = value(controller)
        match kind:
            case LeafKind.FLOAT:
                return encode(address, "f", now)
            case LeafKind.INT | LeafKind.ENUM:
                return encode(address, "i", now)
            case LeafKind.BOOL:
                return encode(address, "T" if now else "F")
            case _:
                return encode(address, "s", now)

    return read


def ignore(request: Request) -> None:
    """Do nothing: the action of a button that is released."""


def trigger(
    address: str,
    text: str,
    action: Action,
    *,
    require: Callable[[Controller], None] = lambda controller: None,
    concerns_client: bool = False,
) -> Leaf:
    """Return a leaf that fires; `require` raises OscError where that is not possible now."""

    def check(controller: Controller, tag: str, value: Value) -> Action:
        if not to_trigger(address, tag, value):
            return ignore
        require(controller)
        return action

    return Leaf(
        address=address,
        kind=LeafKind.TRIGGER,
        help=text,
        check=check,
        concerns_client=concerns_client,
    )
