"""Starts the HTTP server. aiohttp is loaded in the background: it takes a good part of a second."""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from nemod.network.access import Access
from nemod.network.hosts import LocalHosts, machine_names
from nemod.web.guard import Guard

if TYPE_CHECKING:
    from nemod.control.controller import Controller
    from nemod.web.routes import QueryService
    from nemod.web.server import WebServer


async def start_web_server(
    service: "QueryService",
    controller: "Controller",
    port: int,
    *,
    local: bool = False,
    allow: Sequence[str] = (),
    allow_write: Sequence[str] = (),
    allow_hosts: Sequence[str] = (),
    names: Callable[[], Iterable[str]] = machine_names,
) -> "WebServer":
    """Return a server for an OSCQuery service, the page, and the files that `controller` takes.

    Its `port` is the one that is used (0: a free one). `local` and `allow`: which hosts are served,
    as over OSC; `allow_write`: which may add files, besides this machine. `allow_hosts`: names and
    addresses of `Host` besides those of this machine, which has these `names`.

    Raises: PortError where the port is taken or may not be used; ConfigError for a wrong entry.
    """
    hosts = LocalHosts(allow_hosts, names=names)
    guard = Guard(Access(local=local, allow=allow), allow_hosts, hosts=hosts)
    await asyncio.to_thread(importlib.import_module, "nemod.web.server")
    from nemod.web.api import ApiRoute
    from nemod.web.page_files import FrontRoute, PageFiles
    from nemod.web.query import QueryRoute
    from nemod.web.server import WebServer

    page = await asyncio.to_thread(PageFiles)
    front = FrontRoute(QueryRoute(service, guard), page)
    server = WebServer([front, page, ApiRoute(controller, guard, allow_write)], guard)
    await server.start(port, is_local=local)
    return server
