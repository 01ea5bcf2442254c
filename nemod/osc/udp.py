"""OSC over UDP: receives datagrams, and keeps one sender for each port of each host."""

import asyncio
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from nemod.common.remembered import Remembered
from nemod.network.access import Access, address_of
from nemod.network.sockets import open_sockets
from nemod.osc.codec import MAX_DATAGRAM
from nemod.osc.receiver import Receiver
from nemod.osc.sender import Sender

RECENT_S = 60.0
"""[s] Clients that sent a packet in this time get `/nemo/bye` when the daemon ends."""
MAX_PEERS = 256
"""Most ports of hosts that are remembered."""
_DATAGRAMS_AT_ONCE = 16
"""Most datagrams taken from a socket before other tasks of the event loop run."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""Host and port, for IPv6 with the flow and the interface."""


@dataclass(slots=True)
class _Peer:
    """One port of one host."""

    sender: Sender
    seen_s: float = 0.0


class UdpTransport:
    """Receives datagrams and sends answers. Thread: control, inside a running event loop."""

    def __init__(
        self,
        receiver: Receiver,
        access: Access,
        *,
        is_local: bool = False,
        gets_echoes: bool = True,
    ) -> None:
        """`is_local`: listen on loopback alone. `gets_echoes`: see `Sender`."""
        self._receiver = receiver
        self._access = access
        self._is_local = is_local
        self._gets_echoes = gets_echoes
        self._sockets: list[socket.socket] = []
        self._peers = Remembered[_Peer](MAX_PEERS)

    def open(self, port: int) -> int:
        """Open the sockets and return their port; port 0 takes a free one.

        Raises: PortError where the port is taken or may not be used.
        """
        self._sockets = open_sockets(socket.SOCK_DGRAM, port, is_local=self._is_local)
        for opened in self._sockets:
            asyncio.get_running_loop().add_reader(opened, self._readable, opened)
        bound: int = self._sockets[0].getsockname()[1]
        return bound

    def senders(self) -> list[Sender]:
        """Return the clients that sent a packet lately."""
        now = time.monotonic()
        return [peer.sender for peer in self._peers.items() if now - peer.seen_s <= RECENT_S]

    def close(self) -> None:
        """Close the sockets."""
        for opened in self._sockets:
            asyncio.get_running_loop().remove_reader(opened)
            opened.close()
        self._sockets.clear()

    def _readable(self, opened: socket.socket) -> None:
        """Receive what has arrived, in batches so that other tasks can run."""
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data, source = opened.recvfrom(MAX_DATAGRAM + 1)
            except OSError:
                # Nothing more has arrived, or an earlier answer was rejected by the network.
                return
            self._receiver.guard(partial(self._receive, data, source, opened))

    def _receive(self, data: bytes, source: SocketAddress, opened: socket.socket) -> None:
        address = address_of(source[0])
        if not self._access.allows(address):
            self._receiver.drop("osc.foreign", source=str(address))
            return
        peer = self._peers.get(source, lambda: _Peer(self._sender(opened, source)))
        peer.seen_s = time.monotonic()
        self._receiver.receive(data, peer.sender)

    def sender_to(self, host: str, port: int) -> Sender | None:
        """Return a client at this address and port; None where the machine lacks its family."""
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        (family, *_, found), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=numeric
        )
        target: SocketAddress = (str(found[0]), port, *map(int, found[2:]))  # type: ignore[assignment]
        for opened in self._sockets:
            if opened.family == family:
                return self._sender(opened, target)
        return None

    def _sender(self, opened: socket.socket, target: SocketAddress) -> Sender:
        return self._receiver.sender(
            _answerer(opened, target),
            address_of(target[0]),
            target[1],
            is_busy=lambda: _is_full(opened),
            gets_echoes=self._gets_echoes,
            to_port=lambda port: self._sender(opened, (target[0], port, *target[2:])),
        )


def _answerer(opened: socket.socket, source: SocketAddress) -> Callable[[bytes], None]:
    def send(packet: bytes) -> None:
        # An answer may be lost, as any datagram.
        with suppress(OSError):
            opened.sendto(packet, source)

    return send


def _is_full(opened: socket.socket) -> bool:
    """Return whether the send buffer of a socket has no room for a packet."""
    if opened.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(opened, select.POLLOUT)
    return not poll.poll(0)
