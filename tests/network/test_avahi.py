"""Announcement through a real avahi-daemon, listed with avahi-browse on another machine."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from nemod.network.announce import Announced
from tests.network.conftest import SERVICES, announcing, run, wait_for
from tests.parts.avahi import Machine, two_machines
from tests.parts.avahi import wait_for as wait_outside

pytestmark = pytest.mark.avahi
ROOT = Path(__file__).resolve().parents[2]
NAME = "nemod on stage"
CHILD = """
import asyncio, signal
from nemod.network.announce import Announcer
from nemod.network.services import osc_udp

async def main():
    options = {"host": "stage", "patience_s": 0.1, "poll_s": 0.1}
    announcer = Announcer([osc_udp(9000)], "nemod on stage", **options)
    await announcer.start()
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
    await announcer.stop()

asyncio.run(main())
"""


class Machines(NamedTuple):
    """The machine of the daemon, and another in its network."""

    stage: Machine
    phone: Machine


@pytest.fixture(scope="module")
def cabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with two_machines(tmp_path_factory.mktemp("machines")) as machines:
        yield Machines(*machines)


@pytest.fixture
def machines(cabled: Machines, monkeypatch: pytest.MonkeyPatch) -> Machines:
    """Two machines with avahi; what the test announces is announced by the first."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", cabled.stage.bus_address)
    for machine in cabled:
        machine.stop_unusual()  # it may have the name of the other
    for machine in cabled:
        machine.start()
    return cabled


def rows(machine: Machine, service: str, *options: str) -> list[list[str]]:
    """Return name, host, address, port and TXT record of what a machine lists."""
    return sorted([row[3], *row[6:]] for row in machine.browse(service, *options))


def listed(machine: Machine) -> list[tuple[str, ...]]:
    """Return name, host, address, port of what a machine knows of OSC over UDP, without asking."""
    return [tuple(row[:4]) for row in rows(machine, "_osc._udp", "--cache")]


def _escaped(name: str) -> str:
    """Return a name as avahi-browse prints it: three decimal digits for a byte."""
    plain = b"abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(chr(byte) if byte in plain else f"\\{byte:03}" for byte in name.encode())


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; it may take its time."""
    async with asyncio.timeout(20.0):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def wait_listed(machine: Machine, *names: str) -> None:
    """Wait until a machine lists these names, and no others."""
    wanted = [_escaped(name) for name in names]
    await wait_until(lambda: [row[0] for row in listed(machine)] == wanted)


def test_services_are_listed_by_another_machine(machines: Machines) -> None:
    """Name with any letters, host, address, port and TXT record of each; then withdrawn."""

    async def scenario() -> None:
        name = "nemod ön «stage»"
        async with announcing(name, services=SERVICES, patience_s=2.0) as announcer:
            await wait_for(lambda: announcer.announced)
            assert announcer.announced == Announced("avahi", name, "stage.local")
            assert announcer.host == "stage.local"
            address = [_escaped(name), "stage.local", "10.77.0.1"]
            # avahi-browse prints the entries of a TXT record from the last to the first.
            expected = {
                "_osc._udp": [*address, "9000", '"version=1.1" "txtvers=1"'],
                "_osc._tcp": [*address, "9000", '"framing=slip" "version=1.1" "txtvers=1"'],
                "_oscjson._tcp": [*address, "9080", '"txtvers=1"'],
            }
            for service, row in expected.items():
                await wait_until(lambda s=service, r=row: rows(machines.phone, s) == [r])
        await wait_listed(machines.phone)

    run(scenario())


def test_a_name_that_is_taken_gets_a_number(machines: Machines) -> None:
    """The name of another machine's service, and that of one on this machine."""
    taken = [
        machines.phone.popen("avahi-publish", "-s", NAME, "_osc._udp", "7000"),
        machines.stage.popen("avahi-publish", "-s", f"{NAME} #2", "_osc._udp", "7001"),
    ]

    async def scenario() -> None:
        await wait_listed(machines.phone, NAME, f"{NAME} #2")
        async with announcing(NAME, patience_s=2.0) as announcer:
            await wait_for(lambda: announcer.announced)
            assert announcer.announced == Announced("avahi", f"{NAME} #3", "stage.local")
            await wait_listed(machines.phone, NAME, f"{NAME} #2", f"{NAME} #3")

    try:
        run(scenario())
    finally:
        for process in taken:
            process.terminate()
            process.wait(10.0)


def test_a_restarted_avahi_publishes_again(machines: Machines) -> None:
    """After a crash of avahi, and after a restart under another host name."""

    async def scenario() -> None:
        async with announcing(NAME, patience_s=5.0) as announcer:
            await wait_for(lambda: announcer.announced)
            machines.stage.kill_avahi()
            await wait_for(lambda: not announcer.announced)
            # The other machine has the host's name.
            await asyncio.to_thread(machines.stage.start_avahi, host=machines.phone.host)
            await wait_for(lambda: announcer.announced)
            assert announcer.announced == Announced("avahi", NAME, "phone-2.local")
            assert listed(machines.phone) == [
                (_escaped(NAME), "phone-2.local", "10.77.0.1", "9000")
            ]

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_without_avahi_zeroconf_takes_over(machines: Machines) -> None:
    """While avahi is stopped, and while the whole bus is; avahi takes over again."""

    async def scenario() -> None:
        async with announcing(NAME, host="stage-test", patience_s=0.3) as announcer:
            await wait_for(lambda: announcer.announced)
            machines.stage.stop_avahi()
            by_zeroconf = Announced("zeroconf", NAME, "stage-test.local")
            await wait_for(lambda: announcer.announced == by_zeroconf)
            await asyncio.to_thread(machines.stage.start_avahi)
            by_avahi = Announced("avahi", NAME, "stage.local")
            await wait_for(lambda: announcer.announced == by_avahi)
            machines.stage.stop_avahi()
            machines.stage.stop_bus()
            await wait_for(lambda: announcer.announced == by_zeroconf)
            machines.stage.start_bus()
            await asyncio.to_thread(machines.stage.start_avahi)
            await wait_for(lambda: announcer.announced == by_avahi)

    run(scenario())


@pytest.mark.usefixtures("quick")
def test_an_avahi_that_refuses_is_not_asked_again(machines: Machines) -> None:
    """Where the administrator forbids it, zeroconf is used, with one warning."""
    machines.stage.stop_avahi()
    machines.stage.start_avahi(publish="disable-user-service-publishing=yes")

    async def scenario() -> None:
        async with announcing(NAME, host="stage-test", patience_s=0.3) as announcer:
            await wait_for(lambda: announcer.announced)
            assert announcer.announced == Announced("zeroconf", NAME, "stage-test.local")
            # An administrator who allows it restarts avahi.
            machines.stage.stop_avahi()
            await asyncio.to_thread(machines.stage.start_avahi)
            await wait_for(lambda: announcer.announced and announcer.announced.by == "avahi")

    with capture_logs() as logs:
        run(scenario())
    warnings = [log["reason"] for log in logs if log["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "avahi refuses" in warnings[0]


def test_what_a_killed_daemon_published_is_withdrawn(machines: Machines) -> None:
    """Avahi sees the connection end, and tells the network."""
    with child_on(machines.stage) as child:
        wait_outside(lambda: listed(machines.phone), "announcement")
        child.kill()
        wait_outside(lambda: not listed(machines.phone), "withdrawal")


def test_avahi_lists_what_zeroconf_announces(machines: Machines) -> None:
    """Names that the other machine has get numbers; another address is followed; then withdrawn."""
    stage, phone = machines
    stage.stop_avahi()
    phone.stop_avahi()
    phone.start_avahi(host="stage")
    taken = phone.popen("avahi-publish", "-s", NAME, "_osc._udp", "7000")
    name = _escaped(f"{NAME} #2")
    others = [(_escaped(NAME), "stage.local", phone.address, "7000")]

    def is_listed(address: str) -> bool:
        return listed(phone) == [*others, (name, "stage-2.local", address, "9000")]

    try:
        wait_outside(lambda: listed(phone) == others, "the other machine's service")
        with child_on(stage) as child:
            wait_outside(lambda: is_listed(stage.address), "announcement")
            stage.set_address("10.77.0.3")
            wait_outside(lambda: is_listed("10.77.0.3"), "new address")
            child.terminate()
            wait_outside(lambda: listed(phone) == others, "withdrawal")
            assert child.wait(10.0) == 0
    finally:
        taken.terminate()
        taken.wait(10.0)
        stage.set_address("10.77.0.1")


@contextmanager
def child_on(machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """A process that announces, on this machine."""
    child = machine.popen(sys.executable, "-c", CHILD, PYTHONPATH=str(ROOT))
    try:
        yield child
    finally:
        child.kill()
        child.wait(10.0)
