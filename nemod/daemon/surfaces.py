"""The surfaces that the daemon serves: OSC, MIDI, OSCQuery over HTTP, and announcement by mDNS.

OSC has to start, or the daemon does not. Without the others it plays on: that is logged, and
nothing waits for it.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from nemod.common.errors import NemodError
from nemod.config import Config
from nemod.config.options import HTTP_PORT_ABOVE_OSC
from nemod.control.controller import Controller
from nemod.daemon.power import power_off
from nemod.midi.start import start_midi
from nemod.network.announce import Announcer
from nemod.network.hosts import machine_names
from nemod.network.names import host_name
from nemod.network.services import osc_tcp, osc_udp, oscquery
from nemod.osc.query.service import OscQuery
from nemod.osc.server import OscServer
from nemod.web.start import start_web_server

if TYPE_CHECKING:
    from nemod.midi.surface import MidiSurface
    from nemod.web.server import WebServer

log = structlog.get_logger("nemod")


class Surfaces:
    """All surfaces of one controller. Thread: control, inside a running event loop."""

    def __init__(self, controller: Controller, config: Config) -> None:
        """Open nothing yet. Raises: ConfigError."""
        self._config = config
        self._controller = controller
        osc = config.osc
        self._osc = OscServer(
            controller,
            osc.port,
            local=osc.local,
            allow=osc.allow,
            allow_write=osc.allow_write,
            targets=osc.feedback,
            compat=osc.compat,
        )
        self._midi: MidiSurface | None = None
        self._query: OscQuery | None = None
        self._web: WebServer | None = None
        self._announcer: Announcer | None = None
        self._starting: asyncio.Task[None] | None = None

    @property
    def osc_port(self) -> int:
        """Port of OSC over UDP and TCP."""
        return self._osc.port

    @property
    def http_port(self) -> int:
        """Port of HTTP; 0 while there is none."""
        return self._web.port if self._web is not None else 0

    async def start(self) -> None:
        """Open OSC now, and the rest soon. Raises: PortError."""
        await self._osc.start()
        self._starting = asyncio.create_task(self._start_others(), name="surfaces")

    async def close(self) -> None:
        """Withdraw the announcement, send clients a goodbye, and close everything."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._midi is not None:
            self._midi.close()
        closing = [self._close_servers()]
        if self._announcer is not None:
            closing.append(self._announcer.stop())
        await asyncio.gather(*closing)

    async def _close_servers(self) -> None:
        if self._query is not None:
            self._query.close()
        if self._web is not None:
            await self._web.close()
        await self._osc.close()

    async def _start_others(self) -> None:
        for start in (self._start_midi, self._start_http, self._announce):
            try:
                await start()
            except Exception:  # the sound must not end because a phone finds nothing
                log.exception("surfaces not complete")

    async def _start_midi(self) -> None:
        midi = self._config.midi
        if midi.enable is not False:
            self._midi = await start_midi(
                self._controller,
                midi.bindings,
                raw=midi.raw,
                shut_down=power_off if midi.shutdown else None,
            )

    async def _start_http(self) -> None:
        http, osc = self._config.http, self._config.osc
        port = http.port
        if port == -1:
            return
        if port is None:
            # A free port for OSC asks for a free one here, too.
            port = self._osc.port + HTTP_PORT_ABOVE_OSC if osc.port else 0
        if port > 65_535:
            log.warning("OSCQuery is off: no port is left above OSC's", osc=self._osc.port)
            return
        self._query = OscQuery(self._osc, f"nemod on {host_name()}")
        try:
            self._web = await start_web_server(
                self._query,
                self._controller,
                port,
                local=osc.local,
                allow=osc.allow,
                allow_write=osc.allow_write,
                allow_hosts=http.allow_hosts,
                names=self._names,
            )
        except NemodError as error:
            self._query.close()
            self._query = None
            log.warning("OSCQuery is off", reason=str(error))
        else:
            log.info("OSCQuery", http=self._web.port)

    def _names(self) -> list[str]:
        """Return the names of this machine; it is announced by another one where that is taken."""
        announced = [self._announcer.host] if self._announcer is not None else []
        return [*machine_names(), *announced]

    async def _announce(self) -> None:
        wanted = self._config.announce
        if wanted is False or (wanted is None and self._config.osc.local):
            return
        services = [osc_udp(self._osc.port), osc_tcp(self._osc.port)]
        if self._web is not None:
            services.append(oscquery(self._web.port))
        self._announcer = Announcer(services)
        await self._announcer.start()
