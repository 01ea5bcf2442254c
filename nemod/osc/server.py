"""The OSC server: starts and ends all transports, which share one receiver and one dispatcher."""

from collections.abc import Sequence

from nemod.control.controller import Controller
from nemod.network.access import Access
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import encode
from nemod.osc.feedback.feedback import Feedback
from nemod.osc.limits import LOOPBACK_MESSAGES_PER_S, MESSAGES_PER_S
from nemod.osc.receiver import Receiver
from nemod.osc.timers import LoopTimers
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
        targets: Sequence[tuple[str, int]] = (),
        messages_per_s: float = MESSAGES_PER_S,
        loopback_messages_per_s: float = LOOPBACK_MESSAGES_PER_S,
    ) -> None:
        """Port 0 takes a free one.

        `local` and `allow`: which hosts are served. `allow_write`: which may delete and upload.
        `targets`: addresses and ports that are sent every change, without asking.

        Raises: ConfigError for an entry of `allow` or `allow_write` that is not a network.
        """
        self.port = port
        self.counters = Counters()
        timers = LoopTimers(lambda work: self.receiver.guard(work))
        self.dispatcher = Dispatcher(controller, self.counters, timers)
        self.receiver = Receiver(
            self.dispatcher,
            self.counters,
            messages_per_s=messages_per_s,
            loopback_messages_per_s=loopback_messages_per_s,
            allow_write=allow_write,
        )
        access = Access(local=local, allow=allow)
        self._udp = UdpTransport(self.receiver, access, is_local=local)
        self._targets = targets

    async def start(self) -> None:
        """Open the transports; from now on `port` is the one that is used.

        Raises: PortError where the port is taken or may not be used.
        """
        self.port = self._udp.open(self.port)
        for host, port in self._targets:
            target = self._udp.sender_to(host, port)
            if target is not None:
                self.feedback.add_permanent(target)

    async def close(self) -> None:
        """Send `/nemo/bye` to recent clients and subscribers, and close the transports."""
        known = [*self._udp.senders(), *self.feedback.senders()]
        for sender in {sender.destination: sender for sender in known}.values():
            sender.send(encode("/nemo/bye"))
        self.dispatcher.close()
        self._udp.close()

    @property
    def feedback(self) -> Feedback:
        """What sends clients the changes of the rig."""
        return self.dispatcher.feedback
