"""Announcement without avahi, seen by a client on the same network."""

import asyncio
import errno
import subprocess
import sys
import time
from ipaddress import ip_address

import pytest
from structlog.testing import capture_logs
from zeroconf.asyncio import AsyncZeroconf

from nemod.network import announce, zeroconf_announcer
from nemod.network.announce import Announced, Announcer
from nemod.network.interfaces import LocalAddress, local_addresses
from nemod.network.services import Service
from tests.network.conftest import (
    LOOPBACK,
    SERVICES,
    Found,
    announcing,
    finder,
    lan_address,
    run,
    wait_for,
)


def test_services_are_found_resolved_and_withdrawn(unique: str) -> None:
    """A client lists three services, resolves host, port, TXT; then nothing, within 1 s."""

    async def scenario() -> None:
        name = f"nemod on {unique}"
        async with finder() as client:
            async with announcing(name, host=unique, services=SERVICES) as announcer:
                await client.wait(name, SERVICES)
                await wait_for(lambda: announcer.announced)
                assert announcer.announced == Announced("zeroconf", name, f"{unique}.local")
                host, addresses = f"{unique}.local.", ["127.0.0.1"]
                txt = b"\x09txtvers=1\x0bversion=1.1"
                assert await client.resolve(name, "_osc._udp") == Found(9000, txt, host, addresses)
                txt += b"\x0cframing=slip"
                assert await client.resolve(name, "_osc._tcp") == Found(9000, txt, host, addresses)
                txt = b"\x09txtvers=1"
                found = await client.resolve(name, "_oscjson._tcp")
                assert found == Found(9080, txt, host, addresses)
                began = time.monotonic()
                await announcer.stop()
                assert time.monotonic() - began < 1.0
                assert announcer.announced is None
            # A client removes a record one second after its goodbye (RFC 6762, section 10.1).
            await client.wait_gone(name)

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_names_that_are_taken_get_numbers(unique: str) -> None:
    """The first free of `x`, `x #2`, `x #3`, for all services alike, and of `pi`, `pi-2`."""

    async def scenario() -> None:
        name = f"nemod on {unique}"
        async with finder() as client:
            await asyncio.gather(
                client.own(name, 7000, unique, "10.77.0.9"),
                client.own(f"{name} #2", 7000, unique, "10.77.0.9"),
            )
            async with announcing(name, host=unique, services=SERVICES) as announcer:
                await client.wait(f"{name} #3", SERVICES)
                await wait_for(lambda: announcer.announced)
                host = f"{unique}-2.local"
                assert announcer.announced == Announced("zeroconf", f"{name} #3", host)
                found = await client.resolve(f"{name} #3", "_osc._udp")
                assert (found.host, found.addresses) == (f"{host}.", ["127.0.0.1"])
            await client.wait_gone(f"{name} #3")
            assert f"{name}._osc._udp.local." in client.names

    run(scenario())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("port", "is_kept"), [(8999, True), (9001, False)])
def test_a_later_conflict_of_names_is_resolved(unique: str, port: int, is_kept: bool) -> None:
    """Two networks are joined: the machine with the greater data keeps the name."""

    async def scenario() -> None:
        name = f"nemod on {unique}"
        async with (
            finder() as client,
            finder() as rival,
            announcing(name, host=unique) as announcer,
        ):
            await wait_for(lambda: announcer.announced)
            await rival.own(name, port, unique)
            if is_kept:
                await wait_for(lambda: client.ports_of(name) == {9000})
                assert announcer.announced == Announced("zeroconf", name, f"{unique}.local")
            else:
                await wait_for(lambda: client.ports_of(f"{name} #2") == {9000})
                assert port in client.ports_of(name)

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_addresses_that_come_and_go_are_followed(unique: str) -> None:
    """No network at the start, loopback alone, a Wi-Fi; a list that fails; and none again."""
    lan = lan_address()
    addresses: list[LocalAddress] = []
    is_failing = False

    def read() -> list[LocalAddress]:
        if is_failing:
            raise OSError
        return addresses

    async def scenario() -> None:
        nonlocal is_failing
        name = f"nemod on {unique}"
        async with (
            finder("127.0.0.1", str(lan.address)) as client,
            announcing(name, host=unique, addresses=read) as announcer,
        ):
            await asyncio.sleep(0.4)
            assert announcer.announced is None
            addresses.append(LOOPBACK)
            await client.wait(name)
            assert (await client.resolve(name, "_osc._udp")).addresses == ["127.0.0.1"]
            await asyncio.sleep(1.0)  # younger addresses are not replaced (section 10.2)
            addresses.append(lan)
            await wait_for(lambda: client.addresses_of(unique) == {str(lan.address)})
            is_failing = True
            await asyncio.sleep(0.3)
            assert announcer.announced
            is_failing = False
            # Meanwhile nothing was withdrawn: the entry of a client's list stays.
            assert client.removed == []
            addresses.clear()
            await wait_for(lambda: announcer.announced is None)

    run(scenario())


def test_loopback_is_announced_only_where_there_is_nothing_else() -> None:
    """Clients of other machines must not be sent to their own."""
    lan = LOOPBACK._replace(address=ip_address("192.168.7.5"))
    ipv6 = LOOPBACK._replace(address=ip_address("fd12::5"))
    ipv6_loopback = LOOPBACK._replace(address=ip_address("::1"))
    choose = zeroconf_announcer.announced_addresses
    assert choose([LOOPBACK, ipv6_loopback, ipv6, lan, lan]) == [lan, ipv6]
    assert choose([LOOPBACK, ipv6_loopback]) == [LOOPBACK]
    assert choose([ipv6_loopback]) == []


@pytest.mark.usefixtures("quick")
def test_the_real_interfaces_are_used(unique: str) -> None:
    """With all addresses of the machine, of both families, a client on one of them finds it."""
    address = str(lan_address().address)

    async def scenario() -> None:
        name = f"nemod on {unique}"
        async with finder(address) as client:
            async with announcing(name, host=unique, addresses=local_addresses):
                await client.wait(name)
                assert address in (await client.resolve(name, "_osc._udp")).addresses
            await client.wait_gone(name)

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_odd_names_are_announced(unique: str) -> None:
    """Non-ASCII letters, dots, control characters, and more bytes than fit."""

    async def scenario() -> None:
        long = unique + " ä.ö\n" + "ギ" * 30
        expected = unique + " ä-ö" + "ギ" * ((63 - len(f"{unique} ä-ö".encode())) // 3)
        async with finder() as client, announcing(long, host=f"{unique}_ü.example.org"):
            await client.wait(expected)
            assert (await client.resolve(expected, "_osc._udp")).host == f"{unique}-u.local."

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_a_port_that_is_taken_is_a_warning(unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program with port 5353 for itself: logged once, tried again, then announced."""
    is_taken = True

    def open_sockets(**options: object) -> AsyncZeroconf:
        if is_taken:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return AsyncZeroconf(**options)  # type: ignore[arg-type]

    monkeypatch.setattr(zeroconf_announcer, "AsyncZeroconf", open_sockets)

    async def scenario() -> None:
        nonlocal is_taken
        async with announcing(unique, host=unique, retry_s=0.02) as announcer:
            await asyncio.sleep(0.2)
            assert announcer.announced is None
            is_taken = False
            await wait_for(lambda: announcer.announced)

    with capture_logs() as logs:
        run(scenario())
    warnings = [log["reason"] for log in logs if log["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "Address already in use" in warnings[0]


@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.3, 0.8])
def test_a_stop_at_any_moment_leaves_nothing_behind(unique: str, pause_s: float) -> None:
    """Before its first step, while it waits for avahi, probes, announces; and twice."""

    async def scenario() -> None:
        async with announcing(unique, host=unique) as announcer:
            await asyncio.sleep(pause_s)
            await announcer.stop()
            assert announcer.announced is None

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_a_stop_while_avahi_takes_over_leaves_nothing_behind(
    unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The goodbyes of zeroconf are waited for in this case, too."""
    has_started = asyncio.Event()

    class StartingAvahi:
        owner = ":1.1"

        @classmethod
        async def connect(cls) -> "StartingAvahi":
            return cls()

        async def wait_running(self, other_than: str) -> None:
            await has_started.wait()

        async def close(self) -> None:
            pass

    monkeypatch.setattr(announce, "Avahi", StartingAvahi)

    async def scenario() -> None:
        name = f"nemod on {unique}"
        async with finder() as client:
            async with announcing(name, host=unique) as announcer:
                await client.wait(name)
                await wait_for(lambda: announcer.announced)
                has_started.set()
                await asyncio.sleep(0.05)
                await announcer.stop()
            await client.wait_gone(name)

    run(scenario())


def test_a_stop_without_a_start_does_nothing() -> None:
    """The daemon stops in any case what it has made."""
    run(Announcer(SERVICES).stop())


def test_libraries_are_imported_when_they_are_needed() -> None:
    """A daemon that announces nothing does not load them."""
    code = (
        "import sys, nemod.network.announce, nemod.network.hosts; "
        "print({'zeroconf', 'dbus_fast', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_cannot_be_announced_is_refused_at_once() -> None:
    """A wrong service is a mistake of the caller; no service at all is none."""
    with pytest.raises(ValueError, match="port"):
        Announcer([Service("_osc._udp", 0, {})])

    async def scenario() -> None:
        async with announcing(services=()) as announcer:
            await asyncio.sleep(0.1)
            assert announcer.announced is None

    run(scenario())
