"""The UDP server: sockets, access control, and the way from a datagram to the dispatcher and back.

There is one socket for IPv4 and, where the machine has it, one for IPv6, on the same port: on all
interfaces, or with `local` on 127.0.0.1 and ::1 alone. No datagram can raise an
exception out of this module.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from nemod.common.errors import NemodError
from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.network.access import Access, address_of
from nemod.network.port_owner import owner_of
from nemod.osc.codec import MAX_DATAGRAM, DecodeError, decode
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import encode
from nemod.osc.limits import (
    ERRORS_PER_S,
    LOOPBACK_MESSAGES_PER_S,
    MESSAGES_PER_S,
    Remembered,
    Window,
)
from nemod.osc.sender import Sender
from nemod.osc.traffic import Traffic

DEFAULT_PORT = 9000
HEARD_S = 60.0
"""[s] Clients that sent a packet in this time get `/nemo/bye` when the daemon ends."""
MAX_PEERS = 256
"""Most hosts, and ports of hosts, that are remembered."""
_DATAGRAMS_AT_ONCE = 16
"""Most datagrams taken from a socket before other tasks of the event loop run."""
_RECEIVE_QUEUE = 1 << 20
"""[bytes] Receive buffer asked of the system."""
_QUIET_S = 10.0
"""[s] Between two log lines of the same kind."""
_PORT_TRIES = 8
"""Free ports that are tried until one is free for IPv4 and IPv6 alike."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


class PortError(NemodError):
    """The OSC port cannot be opened."""

    def __init__(self, port: int, reason: str) -> None:
        """`reason` says what is in the way."""
        self.port = port
        self.reason = reason
        super().__init__(f"OSC port {port} (UDP): {reason}")


@dataclass(slots=True)
class _Peer:
    """One port of one host."""

    sender: Sender
    heard_s: float


class OscServer:
    """The OSC surface, over UDP. Thread: control, inside a running event loop."""

    def __init__(
        self,
        controller: Controller,
        port: int = DEFAULT_PORT,
        *,
        local: bool = False,
        allow: Sequence[str] = (),
        messages_per_s: float = MESSAGES_PER_S,
        loopback_messages_per_s: float = LOOPBACK_MESSAGES_PER_S,
    ) -> None:
        """Port 0 takes a free one. `local` and `allow` as in `nemod.network.access`.

        Raises: ConfigError for an entry of `allow` that is not a network.
        """
        self.port = port
        self.counters = Counters()
        self._local = local
        self._access = Access(local=local, allow=allow)
        self._rates = messages_per_s, loopback_messages_per_s
        self._dispatcher = Dispatcher(controller, self.counters)
        self._sockets: list[socket.socket] = []
        self._traffic = Remembered[Traffic](MAX_PEERS)
        self._windows = Remembered[Window](MAX_PEERS)
        self._peers = Remembered[_Peer](MAX_PEERS)
        self._logged_s: dict[str, float] = {}
        self._log = structlog.get_logger("nemod.osc")

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries out packets; other transports share it."""
        return self._dispatcher

    async def start(self) -> None:
        """Open the sockets; from now on `port` is the one that is used.

        Raises: PortError where the port is taken or may not be had.
        """
        self._sockets = _open_sockets(self.port, self._local)
        self.port = self._sockets[0].getsockname()[1]
        for opened in self._sockets:
            asyncio.get_running_loop().add_reader(opened, self._readable, opened)

    async def close(self) -> None:
        """Send `/nemo/bye` to recent clients, and close the sockets."""
        now = time.monotonic()
        for peer in self._peers.items():
            if now - peer.heard_s <= HEARD_S:
                peer.sender.send(encode("/nemo/bye"))
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
            self._guard(partial(self._receive, data, source, opened))

    def _guard(self, work: Callable[[], None]) -> None:
        """Log what goes wrong while a packet is carried out, and go on."""
        try:
            work()
        except Exception as error:
            self._drop("osc.failed", exc_info=error)

    def _receive(self, data: bytes, source: SocketAddress, opened: socket.socket) -> None:
        address = address_of(source[0])
        if not self._access.allows(address):
            self._drop("osc.foreign", source=str(address))
            return
        try:
            packet = decode(data)
        except DecodeError as error:
            self._drop("osc.malformed", source=str(address), reason=str(error))
            return
        now = time.monotonic()
        is_local = address.is_loopback
        window = self._windows.get(source if is_local else address, lambda: Window(ERRORS_PER_S))
        peer = self._peers.get(source, lambda: self._new_peer(opened, source, window))
        peer.heard_s = now
        traffic = self._traffic.get(address, lambda: self._new_traffic(is_local))
        lost = traffic.receive(packet, peer.sender)
        if lost:
            self._drop("osc.too_many", count=lost, source=str(address))

    def _new_peer(self, opened: socket.socket, source: SocketAddress, window: Window) -> _Peer:
        host = address_of(source[0])
        name = f"[{host}]:{source[1]}" if host.version == 6 else f"{host}:{source[1]}"
        send = _answerer(opened, source)
        return _Peer(Sender(send, host.is_loopback, window, Source("osc", name)), time.monotonic())

    def _new_traffic(self, is_local: bool) -> Traffic:
        loop = asyncio.get_running_loop()

        def later(delay_s: float, work: Callable[[], None]) -> None:
            loop.call_later(delay_s, self._guard, work)

        rate = self._rates[is_local]
        return Traffic(self._dispatcher, rate, clock=time.monotonic, later=later)

    def _drop(self, event: str, *, count: int = 1, **fields: object) -> None:
        self.counters.dropped += count
        now = time.monotonic()
        if now - self._logged_s.get(event, -_QUIET_S) >= _QUIET_S:
            self._logged_s[event] = now
            self._log.warning(event, dropped=self.counters.dropped, **fields)


def _answerer(opened: socket.socket, source: SocketAddress) -> Callable[[bytes], None]:
    def send(packet: bytes) -> None:
        # An answer may be lost, as any datagram.
        with suppress(OSError):
            opened.sendto(packet, source)

    return send


def _open_sockets(port: int, local: bool) -> list[socket.socket]:
    addresses = ("127.0.0.1", "::1") if local else ("0.0.0.0", "::")
    for attempt in range(_PORT_TRIES):
        first = _bind(socket.AF_INET, addresses[0], port)
        found = first.getsockname()[1]
        try:
            second = _bind(socket.AF_INET6, addresses[1], found)
        except PortError:
            first.close()
            # A free port for IPv4 may be taken for IPv6: then another one will do.
            if port or attempt == _PORT_TRIES - 1:
                raise
        except OSError:
            return [first]
        else:
            return [first, second]
    raise AssertionError


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises: PortError where the port is taken or forbidden, OSError where there is no such family.
    """
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_QUEUE)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            owner = owner_of(port, "udp")
            by = f" by {owner}" if owner else ""
            raise PortError(port, f"is taken{by}, choose another with --port") from error
        if error.errno == errno.EACCES:
            raise PortError(port, "may not be used, choose one from 1024 on") from error
        if family == socket.AF_INET:
            raise PortError(port, error.strerror or str(error)) from error
        raise
    return opened
