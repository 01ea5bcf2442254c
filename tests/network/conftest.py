"""Clients of multicast DNS, and announcers of the tests."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import pytest
from zeroconf import (
    DNSAddress,
    DNSQuestionType,
    DNSRecord,
    DNSService,
    ServiceStateChange,
    Zeroconf,
    current_time_millis,
)
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from nemod.network import zeroconf_conflicts
from nemod.network.announce import Announcer
from nemod.network.interfaces import LocalAddress, local_addresses
from nemod.network.services import Service, osc_tcp, osc_udp, oscquery

LOOPBACK = LocalAddress(ip_address("127.0.0.1"), ip_network("127.0.0.0/8"), 1)
SERVICES = (osc_udp(9000), osc_tcp(9000), oscquery(9080))
WAIT_S = 20.0


class Found(NamedTuple):
    """A service as a client resolved it."""

    port: int
    txt: bytes
    host: str
    addresses: list[str]


class Finder:
    """A client that lists services, and may have some of its own."""

    def __init__(self, opened: AsyncZeroconf) -> None:
        self.zeroconf = opened
        self.names: set[str] = set()
        self.removed: list[str] = []
        types = [f"{service.type}.local." for service in SERVICES]
        self._browser = AsyncServiceBrowser(opened.zeroconf, types, handlers=[self._changed])

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            self.names.discard(name)
            self.removed.append(name)
        else:
            self.names.add(name)

    async def wait(self, name: str, services: Iterable[Service] = SERVICES[:1]) -> None:
        """Wait until the services are listed under this instance name."""
        wanted = {f"{name}.{service.type}.local." for service in services}
        await wait_for(lambda: wanted <= self.names)

    async def wait_gone(self, name: str, within_s: float = WAIT_S) -> None:
        """Wait until nothing is listed under this instance name."""
        await wait_for(lambda: not any(n.startswith(f"{name}._") for n in self.names), within_s)

    def addresses_of(self, host: str) -> set[str]:
        """Return the addresses that the client has for a host at the moment."""
        records = self._known(f"{host}.local.")
        return {str(ip_address(r.address)) for r in records if isinstance(r, DNSAddress)}

    def ports_of(self, name: str) -> set[int]:
        """Return the ports that the client has for OSC over UDP at the moment."""
        records = self._known(f"{name}._osc._udp.local.")
        return {record.port for record in records if isinstance(record, DNSService)}

    def _known(self, name: str) -> list[DNSRecord]:
        now = current_time_millis()
        records = self.zeroconf.zeroconf.cache.entries_with_name(name)
        return [record for record in records if not record.is_expired(now)]

    async def resolve(self, name: str, service: str) -> Found:
        found = AsyncServiceInfo(f"{service}.local.", f"{name}.{service}.local.")
        assert await found.async_request(self.zeroconf.zeroconf, 3000, DNSQuestionType.QM)
        return Found(
            found.port or 0, found.text, found.server or "", found.parsed_scoped_addresses()
        )

    async def own(self, name: str, port: int, host: str, address: str = "127.0.0.1") -> None:
        """Announce an OSC service of this client, without asking whether the name is free."""
        info = AsyncServiceInfo(
            "_osc._udp.local.",
            f"{name}._osc._udp.local.",
            port=port,
            server=f"{host}.local.",
            parsed_addresses=[address],
        )
        await (await self.zeroconf.async_register_service(info, cooperating_responders=True))

    async def close(self) -> None:
        await self._browser.async_cancel()
        await self.zeroconf.async_close()


@asynccontextmanager
async def finder(*addresses: str) -> AsyncIterator[Finder]:
    """A client on the network interfaces with these addresses, else on loopback."""
    opened = Finder(AsyncZeroconf(interfaces=list(addresses) or ["127.0.0.1"]))
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def announcing(
    name: str = "",
    *,
    services: Iterable[Service] = SERVICES[:1],
    addresses: Callable[[], Iterable[LocalAddress]] = lambda: [LOOPBACK],
    **options: Any,  # those of Announcer
) -> AsyncIterator[Announcer]:
    """A running announcer: of OSC over UDP on loopback, unless the test says otherwise."""
    announcer = Announcer(
        tuple(services),
        name,
        addresses=addresses,
        **{"patience_s": 0.1, "poll_s": 0.1, "retry_s": 0.1, **options},
    )
    await announcer.start()
    try:
        yield announcer
    finally:
        await announcer.stop()


def lan_address() -> LocalAddress:
    """An IPv4 address of this machine beside loopback; the test skips without one."""
    for local in local_addresses():
        if local.address.version == 4 and not local.address.is_loopback:
            return local
    pytest.skip("this machine has no IPv4 address")


async def wait_for(condition: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Wait until the condition is true. Raises: TimeoutError when it is not in time."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario; fail also for errors that nobody awaited and tasks that are left over."""
    problems: list[dict[str, Any]] = []

    async def supervised() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        await scenario
        await asyncio.sleep(0)  # closed transports report their end
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    asyncio.run(supervised())
    gc.collect()
    assert not problems


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for names at shorter intervals than the standard's; the clients answer at once."""
    monkeypatch.setattr(zeroconf_conflicts, "PROBE_S", 0.05)


@pytest.fixture
def unique() -> str:
    """A host name that no test beside this one announces on the same network."""
    return f"pi{os.getpid()}"


@pytest.fixture(autouse=True)
def _no_system_bus(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """No test publishes through the avahi-daemon of the machine that it runs on."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
