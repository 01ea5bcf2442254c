"""Leaves about the connection with the client: subscriptions, ping, sync, transactions."""

from collections.abc import Mapping, Sequence

from nemod.control.controller import Controller
from nemod.osc.addresses.flags import DEFAULT_FLAGS, Flag, parse_flags
from nemod.osc.addresses.leaf import Action, Leaf, Request, trigger
from nemod.osc.addresses.values import LeafKind, to_int, to_string
from nemod.osc.codec import Value
from nemod.osc.encode import encode
from nemod.osc.errors import OscError

SUBSCRIBE = "/nemo/subscribe"
UNSUBSCRIBE = "/nemo/unsubscribe"
REFRESH = "/nemo/refresh"
TRANSACTION = "/nemo/tx"
LAST_PORT = 65_535

SENT: Mapping[str, tuple[str, str]] = {
    "/nemo/done": (
        "ss",
        "A background job has ended: the address that started it, and a name or count.",
    ),
    "/nemo/error": ("sss", "Code, address and text of what was wrong, to its sender only."),
    "/nemo/synced": ("i", "The jobs that ran when `/nemo/sync` came have ended."),
    "/nemo/subscribed": ("i", "Answer to `/nemo/subscribe`: for how many seconds it holds."),
    "/nemo/pong": ("", "Answer to `/nemo/ping`."),
    "/nemo/bye": ("", "The daemon ends; sent to subscribers and to who sent something lately."),
}
"""Addresses that only the daemon sends, with type tags and meaning.

Received, they are ignored: errors about them would go back and forth for ever between two daemons
that send each other their changes.
"""


def client_leaves() -> list[Leaf]:
    """Return the leaves."""
    return [
        _subscribe(),
        _unsubscribe(),
        trigger(
            REFRESH,
            "Send a subscriber everything that its flags cover again.",
            _refresh,
            concerns_client=True,
        ),
        trigger("/nemo/ping", "Answered by `/nemo/pong`.", _pong, concerns_client=True),
        _sync(),
        _transaction(),
        trigger(
            "/nemo/clear_sched",
            "Drop all bundles that wait for their time, whoever sent them.",
            lambda request: request.clear_scheduled(),
            concerns_client=True,
        ),
    ]


def _subscribe() -> Leaf:
    def check(controller: Controller, tags: str, values: Sequence[Value]) -> Action:
        port, tags, values = _port(SUBSCRIBE, tags, values)
        words = [to_string(SUBSCRIBE, tag, value) for tag, value in zip(tags, values, strict=False)]
        flags = parse_flags(SUBSCRIBE, words)
        return lambda request: request.subscribe(port, flags)

    return Leaf(
        address=SUBSCRIBE,
        kind=LeafKind.ARGUMENTS,
        help=(
            "Receive every change for 60 s, after everything as it is now; send it again before "
            "they are over. The port is the sender's own where none is given."
        ),
        range=f"port 1..{LAST_PORT}, flags {', '.join(Flag)} [{' '.join(sorted(DEFAULT_FLAGS))}]",
        type_tags="s",
        check_all=check,
        concerns_client=True,
    )


def _unsubscribe() -> Leaf:
    def check(controller: Controller, tags: str, values: Sequence[Value]) -> Action:
        port, _, values = _port(UNSUBSCRIBE, tags, values)
        if values:
            raise OscError("args", UNSUBSCRIBE, "takes a port (i), or nothing")
        return lambda request: request.unsubscribe(port)

    return Leaf(
        address=UNSUBSCRIBE,
        kind=LeafKind.ARGUMENTS,
        help="Receive nothing any more, at this port or at all that the sender subscribed.",
        range=f"port 1..{LAST_PORT}",
        low=1,
        high=LAST_PORT,
        type_tags="i",
        check_all=check,
        concerns_client=True,
    )


def _port(
    address: str, tags: str, values: Sequence[Value]
) -> tuple[int | None, str, Sequence[Value]]:
    """Return the port that comes first, if any, and the tags and values after it."""
    if not values or tags[0] in "sS":
        return None, tags, values
    port = to_int(address, tags[0], values[0])
    if not 1 <= port <= LAST_PORT:
        raise OscError("value", address, f"{port} is not a port, 1..{LAST_PORT} are allowed")
    return port, tags[1:], values[1:]


def _refresh(request: Request) -> None:
    request.refresh()


def _pong(request: Request) -> None:
    request.reply(encode("/nemo/pong"))


def _sync() -> Leaf:
    address = "/nemo/sync"

    def check(controller: Controller, tag: str, value: Value) -> Action:
        number = to_int(address, tag, value)
        return lambda request: request.sync(number)

    return Leaf(
        address=address,
        kind=LeafKind.INT,
        help="Answered by `/nemo/synced` with the same number when your jobs have ended.",
        check=check,
        concerns_client=True,
    )


def _transaction() -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        raise OscError("tx", TRANSACTION, "must be first in a bundle, with a number (i)")

    return Leaf(
        address=TRANSACTION,
        kind=LeafKind.INT,
        help="First in a bundle: all messages of the bundle are carried out, or none.",
        check=check,
        concerns_client=True,
    )
