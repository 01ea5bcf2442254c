"""The OSC server: starts and ends all transports, which share one receiver and one dispatcher."""

from collections.abc import Sequence

from nemod.control.controller import Controller
from nemod.osc.access import Access
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import encode
from nemod.osc.limits import LOOPBACK_MESSAGES_PER_S, MESSAGES_PER_S
from nemod.osc.receiver import Receiver
from nemod.osc.udp import UdpTransport

DEFAULT_PORT = 9000


class OscServer:
    """The OSC surface. Thread: control, inside a running event loop."""

    def __init__(
        self,
        controller: Controller,
        port: int = DEFAULT_PORT,
        *,
        local: bool = False,
        allow: Sequence[str] = (),
        allow_write: Sequence[str] = (),
        messages_per_s: float = MESSAGES_PER_S,
        loopback_messages_per_s: float = LOOPBACK_MESSAGES_PER_S,
    ) -> None:
        """Port 0 takes a free one.

        `local` and `allow`: which hosts are served. `allow_write`: which may delete and upload.

        Raises: ConfigError for an entry of `allow` or `allow_write` that is not a network.
        """
        self.port = port
        self.counters = Counters()
        self.dispatcher = Dispatcher(controller, self.counters)
        self.receiver = Receiver(
            self.dispatcher,
            self.counters,
            messages_per_s=messages_per_s,
            loopback_messages_per_s=loopback_messages_per_s,
            allow_write=allow_write,
        )
        access = Access(local=local, allow=allow)
        self._udp = UdpTransport(self.receiver, access, is_local=local)

    async def start(self) -> None:
        """Open the transports; from now on `port` is the one that is used.

        Raises: PortError where the port is taken or may not be used.
        """
        self.port = self._udp.open(self.port)

    async def close(self) -> None:
        """Send `/nemo/bye` to recent clients, and close the transports."""
        for sender in self._udp.senders():
            sender.send(encode("/nemo/bye"))
        self._udp.close()
