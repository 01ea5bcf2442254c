"""An OSC server and an HTTP server over one control core in memory, in the running event loop."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nemod.network.access import Access
from nemod.osc.query.service import OscQuery
from nemod.osc.server import OscServer
from nemod.web.api import ApiRoute
from nemod.web.connections import ConnectionLimits
from nemod.web.guard import Guard
from nemod.web.page_files import FrontRoute, PageFiles
from nemod.web.query import QueryRoute, SocketLimits
from nemod.web.server import WebServer
from tests.osc.conftest import MemoryRig


@dataclass
class ServedRig:
    """Both servers and what they control."""

    rig: MemoryRig
    osc: OscServer
    query: OscQuery
    web: WebServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"


@asynccontextmanager
async def serve_rig(
    *,
    knobs: Sequence[str] = (),
    limits: ConnectionLimits | None = None,
    sockets: SocketLimits | None = None,
    rig: MemoryRig | None = None,
    port: int = 0,
) -> AsyncIterator[ServedRig]:
    """Run both servers on loopback; `port` is that of HTTP."""
    rig = rig or MemoryRig()
    rig.use_knobs(*knobs)
    osc = OscServer(rig.controller, 0, local=True)
    await osc.start()
    query = OscQuery(osc, "nemod on stage")
    guard = Guard(Access(local=True))
    page = PageFiles()
    front = FrontRoute(QueryRoute(query, guard, sockets), page)
    web = WebServer([front, page, ApiRoute(rig.controller, guard)], guard, limits=limits)
    try:
        await web.start(port, is_local=True)
        yield ServedRig(rig, osc, query, web)
    finally:
        query.close()
        await web.close()
        await osc.close()
