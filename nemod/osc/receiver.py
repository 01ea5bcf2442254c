"""From the bytes of a packet to the dispatcher, whatever transport they came by."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import structlog

from nemod.common.remembered import Remembered
from nemod.control.events import Source
from nemod.network.access import address_of, parse_networks
from nemod.network.interfaces import Address
from nemod.network.limits import Window
from nemod.network.rare_warnings import RareWarnings
from nemod.osc.codec import MAX_DATAGRAM, DecodeError, decode
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.limits import ERRORS_PER_S, LOOPBACK_MESSAGES_PER_S, MESSAGES_PER_S
from nemod.osc.sender import Sender, never_busy
from nemod.osc.traffic import Traffic

MAX_HOSTS = 256
"""Most hosts whose limits are remembered."""


class Receiver:
    """Decodes packets, applies the limits of their hosts, and carries them out. Thread: control.

    Transports check the source address first and make one `Sender` for each client.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        counters: Counters,
        *,
        messages_per_s: float = MESSAGES_PER_S,
        loopback_messages_per_s: float = LOOPBACK_MESSAGES_PER_S,
        allow_write: Sequence[str] = (),
    ) -> None:
        """`allow_write`: networks whose hosts may delete and upload, besides loopback.

        Raises: ConfigError for an entry of `allow_write` that is not a network.
        """
        self.counters = counters
        self._dispatcher = dispatcher
        self._rates = messages_per_s, loopback_messages_per_s
        self._writers = parse_networks(allow_write)
        self._traffic = Remembered[Traffic](MAX_HOSTS)
        self._errors = Remembered[Window](MAX_HOSTS)
        log = structlog.get_logger("nemod.osc")
        self._warnings = RareWarnings(log, dispatcher.timers.now_s)

    def sender(
        self,
        send: Callable[[bytes], None],
        address: Address,
        port: int,
        *,
        is_connected: bool = False,
        is_busy: Callable[[], bool] = never_busy,
        to_port: Callable[[int], Sender] | None = None,
        gets_echoes: bool = True,
    ) -> Sender:
        """Return a client. `is_connected`: its address is proven by a handshake (TCP, WebSocket).

        `send` must not raise. `to_port` returns another port of the same host. `gets_echoes`: it is
        sent changes because it sets values, without a subscription.
        """
        is_local = address.is_loopback
        destination: Hashable = object() if is_connected else (str(address), port)
        name = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        # Behind loopback there are many programs, behind another address usually one person.
        window = self._errors.get(name if is_local else address, lambda: Window(ERRORS_PER_S))
        may_write = is_local or any(address in network for network in self._writers)
        return Sender(
            send=send,
            host=str(address),
            is_trusted=is_local or is_connected,
            destination=destination,
            client=destination if is_local or is_connected else str(address),
            to_port=to_port,
            gets_echoes=gets_echoes,
            may_write=may_write,
            is_busy=is_busy,
            errors=window,
            source=Source("osc", name),
        )

    def receive(self, data: bytes, sender: Sender, *, limit: int = MAX_DATAGRAM) -> None:
        """Carry out a packet of at most `limit` bytes; what is wrong with it is counted.

        Raises: nothing.
        """
        self.guard(partial(self._receive, data, sender, limit))

    def guard(self, work: Callable[[], None]) -> None:
        """Do some work; an exception is logged and counted, and never raised."""
        try:
            work()
        except Exception as error:
            self.drop("osc.failed", exc_info=error)

    def drop(self, event: str, *, count: int = 1, **fields: object) -> None:
        """Count dropped packets or messages, and log that, but not more often than every 10 s."""
        self.counters.dropped += count
        self._warnings.warn(event, dropped=self.counters.dropped, **fields)

    def _receive(self, data: bytes, sender: Sender, limit: int) -> None:
        try:
            packet = decode(data, limit)
        except DecodeError as error:
            self.drop("osc.malformed", source=sender.source.client, reason=str(error))
            return
        traffic = self._traffic.get(sender.host, lambda: self._new_traffic(sender.host))
        lost = traffic.receive(packet, sender)
        if lost:
            self.drop("osc.too_many", count=lost, source=sender.source.client)

    def _new_traffic(self, host: str) -> Traffic:
        rate = self._rates[address_of(host).is_loopback]
        return Traffic(self._dispatcher, rate, self._dispatcher.timers)
