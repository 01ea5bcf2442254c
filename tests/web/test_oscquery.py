"""OSCQuery clients against the whole surface: HTTP, WebSocket, OSC over UDP, one control core."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from nemod.chain import Slot
from nemod.control.events import LibraryChanged, ModelChanged, PresetListChanged, Source
from nemod.osc.addresses.tree import build_tree
from nemod.osc.encode import bundle
from tests.osc.conftest import read, write
from tests.osc.query.proposal import check_tree
from tests.web.rig import ServedRig, serve_rig

OTHER = Source("test")

Check = Callable[[ServedRig, "Client"], Awaitable[None]]


class Client:
    """An OSCQuery client: aiohttp, with python-osc's parser for values."""

    def __init__(self, served: ServedRig, http: aiohttp.ClientSession) -> None:
        self._served = served
        self._http = http
        self.socket: aiohttp.ClientWebSocketResponse

    async def connect(self) -> None:
        self.socket = await self._http.ws_connect(self._served.url)

    async def get(self, path: str) -> Any:
        async with self._http.get(self._served.url + path) as answer:
            assert answer.status == 200
            return await answer.json()

    async def command(self, command: str, data: object) -> None:
        await self.socket.send_str(json.dumps({"COMMAND": command, "DATA": data}))

    async def send(self, address: str, *arguments: tuple[str, object]) -> None:
        await self.socket.send_bytes(write(address, *arguments))

    async def messages(self, count: int = 0, quiet_s: float = 0.1) -> list[Any]:
        """Return `count` OSC messages or JSON texts, and what more arrives until all is quiet."""
        received: list[Any] = []
        while True:
            try:
                message = await self.socket.receive(5.0 if len(received) < count else quiet_s)
            except TimeoutError:
                return received
            if message.type is aiohttp.WSMsgType.BINARY:
                assert not message.data.startswith(b"#bundle")
                received += read(message.data)
            else:
                assert message.type is aiohttp.WSMsgType.TEXT
                received.append(json.loads(message.data))

    async def settled(self) -> list[Any]:
        """Return what arrives until everything that was sent before has been carried out."""
        await self.send("/nemo/sync", ("i", 1))
        received: list[Any] = []
        while ("/nemo/synced", [1]) not in received:
            received += await self.messages(1, 0.01)
        return [message for message in received if message != ("/nemo/synced", [1])]


def run(check: Check, *, knobs: tuple[str, ...] = ()) -> None:
    """Run a check against servers, with one client connected."""

    async def main() -> None:
        async with (
            asyncio.timeout(30.0),
            serve_rig(knobs=knobs) as served,
            aiohttp.ClientSession() as http,
        ):
            client = Client(served, http)
            await client.connect()
            await check(served, client)

    asyncio.run(main())


def test_the_whole_tree_is_served() -> None:
    """As the proposal says, with every address of OSC."""

    async def check(served: ServedRig, client: Client) -> None:
        tree = await client.get("/")
        check_tree(tree)
        info = await client.get("?HOST_INFO")
        assert info["OSC_PORT"] == served.osc.port

    run(check, knobs=("Drive", "Tone"))


def test_who_listens_is_sent_the_value_and_its_changes() -> None:
    """Changes by any client; other addresses are not sent."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", "/nemo/bass")
        assert await client.messages(1) == [("/nemo/bass", [0.5])]
        served.rig.controller.set("bass", 0.25, OTHER)
        served.rig.controller.set("mid", 0.25, OTHER)
        assert await client.messages(1) == [("/nemo/bass", [0.25])]
        await client.command("LISTEN", "/nemo/mid")
        assert await client.messages(1) == [("/nemo/mid", [0.25])]
        await client.command("IGNORE", "/nemo/bass")
        await client.settled()
        served.rig.controller.set("bass", 0.75, OTHER)
        served.rig.controller.set("mid", 0.75, OTHER)
        assert await client.messages(1) == [("/nemo/mid", [0.75])]
        await client.command("IGNORE", "/nemo/mid")
        await client.settled()
        served.rig.controller.set("mid", 0.5, OTHER)
        assert await client.messages() == []

    run(check)


def test_all_forms_of_a_parameter_can_be_listened_to() -> None:
    """Position, value, label, and the other addresses of the same parameter."""
    addresses = ("/nemo/gain", "/nemo/real/gain", "/nemo/text/gain", "/nemo/knob/1")

    async def check(served: ServedRig, client: Client) -> None:
        for address in addresses:
            await client.command("LISTEN", address)
        await client.messages(4)
        served.rig.controller.set("gain", 1.0, OTHER)
        values = dict(await client.messages(4))
        assert values == {
            "/nemo/gain": [1.0],
            "/nemo/real/gain": [24.0],
            "/nemo/text/gain": ["+24.0 dB"],
            "/nemo/knob/1": [1.0],
        }

    run(check)


def test_listening_to_everything_gives_everything() -> None:
    """As Chataigne does, one command for each address, readable or not."""

    async def check(served: ServedRig, client: Client) -> None:
        leaves = build_tree(served.rig.controller.parameters).leaves
        for address in leaves:
            await client.command("LISTEN", address)
        readable = sum(leaf.read is not None for leaf in leaves.values())
        values = dict(await client.messages(readable))
        assert set(values) == {address for address, leaf in leaves.items() if leaf.read}
        for path in served.rig.controller.parameters:
            served.rig.controller.set(path, 1.0, OTHER)
        values |= dict(await client.messages(len(list(served.rig.controller.parameters)), 0.3))
        for path in served.rig.controller.parameters.all_paths():
            (expected,) = (await client.get(f"/nemo/{path}?VALUE"))["VALUE"]
            assert values[f"/nemo/{path}"] == [pytest.approx(expected)], path
        assert served.osc.counters.dropped == 0

    run(check, knobs=("Drive", "Tone", "Bite"))


def test_a_value_of_ones_own_does_not_come_back() -> None:
    """Unless it was clipped; other listeners are sent it."""

    async def check(served: ServedRig, client: Client) -> None:
        async with aiohttp.ClientSession() as http:
            other = Client(served, http)
            await other.connect()
            for one in (client, other):
                await one.command("LISTEN", "/nemo/bass")
                await one.messages(1)
            await client.send("/nemo/bass", ("f", 0.25))
            assert await client.messages() == []
            assert await other.messages(1) == [("/nemo/bass", [0.25])]
            await client.send("/nemo/bass", ("f", 7.0))
            assert await client.messages(1) == [("/nemo/bass", [1.0])]
            await other.socket.close()

    run(check)


def test_packets_are_those_of_osc() -> None:
    """Set, query, bundle, errors: answered on the same connection, each message on its own."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.send("/nemo/bass", ("f", 0.25))
        await client.send("/nemo/bass")
        assert await client.settled() == [("/nemo/bass", [0.25])]
        await client.socket.send_bytes(
            bundle([write("/nemo/bass", ("f", 0.5)), write("/nemo/mid", ("f", 0.75))])
        )
        await client.settled()
        assert served.rig.commits[-1]["bass"] == 0.5
        assert served.rig.commits[-1]["mid"] == 0.75
        await client.send("/nemo/nothing", ("f", 1.0))
        ((address, values),) = await client.settled()
        assert (address, values[0]) == ("/nemo/error", "address")
        await client.send("/nemo/delay")
        answers = await client.settled()
        assert ("/nemo/delay/mix", [0.0]) in answers
        await client.send("/nemo/model/load", ("s", "fuzz"))
        assert ("/nemo/done", ["/nemo/model/load", "fuzz"]) in await client.settled()

    run(check)


def test_setting_a_value_subscribes_to_nothing() -> None:
    """Over UDP it does; here a client says what it wants."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.send("/nemo/bass", ("f", 0.25))
        await client.settled()
        served.rig.controller.set("bass", 0.75, OTHER)
        served.rig.controller.set("mid", 0.75, OTHER)
        assert await client.messages() == []

    run(check)


def test_what_is_set_over_udp_reaches_listeners() -> None:
    """One rig, whatever the transport."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", "/nemo/bass")
        await client.messages(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(write("/nemo/bass", ("f", 0.125)), ("127.0.0.1", served.osc.port))
        assert await client.messages(1) == [("/nemo/bass", [0.125])]
        assert await client.get("/nemo/bass?VALUE") == {"VALUE": [0.125]}

    run(check)


def test_a_fast_series_ends_with_its_last_value() -> None:
    """500 changes in half a second: at most 50 Hz, and the last one."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", "/nemo/bass")
        await client.messages(1)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(500):
            served.rig.controller.set("bass", number / 499, OTHER)
            await asyncio.sleep(0.001)
        most = 50 * (loop.time() - start) + 2
        messages = await client.messages(1)
        assert messages[-1] == ("/nemo/bass", [1.0])
        assert len(messages) <= most

    run(check)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ((), []),
        (("Drive",), ["/nemo"]),
        (("Drive", "Tone"), ["/nemo"]),
    ],
)
def test_a_model_with_other_knobs_changes_the_tree(
    knobs: tuple[str, ...], expected: list[str]
) -> None:
    """One notice for everything; none if the knobs are the same."""

    async def check(served: ServedRig, client: Client) -> None:
        for _ in range(3):
            served.rig.use_knobs(*knobs)
            served.rig.events.publish(ModelChanged("fuzz", OTHER))
        notices = await client.messages(len(expected), 0.3)
        assert notices == [{"COMMAND": "PATH_CHANGED", "DATA": path} for path in expected]
        tree = await client.get("/nemo/knob")
        assert set(knobs) <= set(tree["CONTENTS"])

    run(check)


def test_knobs_that_return_are_listened_to_again() -> None:
    """A client need not know which model is loaded."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", "/nemo/knob/Bite")
        await client.settled()
        for knobs in (("Drive",), ("Drive", "Tone", "Bite")):
            served.rig.use_knobs(*knobs)
            served.rig.events.publish(ModelChanged("fuzz", OTHER))
            await client.messages(1, 0.2)
        served.rig.controller.set("knob/3", 0.25, OTHER)
        assert ("/nemo/knob/Bite", [0.25]) in await client.messages(1)

    run(check, knobs=("Drive", "Tone", "Bite"))


def test_another_chain_changes_the_tree() -> None:
    """One notice for everything; the new slot can be listened to, and is gone with its removal."""

    async def check(served: ServedRig, client: Client) -> None:
        echo = Slot(name="echo", kind="delay")
        served.rig.controller.chains.add(echo, -1, OTHER)
        notice = {"COMMAND": "PATH_CHANGED", "DATA": "/nemo"}
        assert await client.messages(1, 0.3) == [notice]
        tree = await client.get("/nemo/echo")
        assert {"mix", "time", "feedback"} <= set(tree["CONTENTS"])
        await client.command("LISTEN", "/nemo/echo/mix")
        await client.settled()
        served.rig.controller.set("echo/mix", 0.25, OTHER)
        assert ("/nemo/echo/mix", [0.25]) in await client.messages(1)
        served.rig.controller.chains.remove("echo", OTHER)
        assert notice in await client.messages(1, 0.5)
        assert "echo" not in (await client.get("/nemo"))["CONTENTS"]

    run(check)


def test_lists_of_names_change_their_part_of_the_tree() -> None:
    """The names are in the ranges of `load`."""

    async def check(served: ServedRig, client: Client) -> None:
        for event, path in (
            (LibraryChanged(5), "/nemo/model"),
            (PresetListChanged(2), "/nemo/preset"),
        ):
            served.rig.events.publish(event)
            assert {"COMMAND": "PATH_CHANGED", "DATA": path} in await client.messages(1, 0.3)

    run(check)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LISTEN /nemo/gain",
        "[]",
        "null",
        "{}",
        '{"COMMAND": "LISTEN"}',
        '{"COMMAND": "LISTEN", "DATA": 7}',
        '{"COMMAND": "LISTEN", "DATA": ["/nemo/gain"]}',
        '{"COMMAND": "SHUT_DOWN", "DATA": "/nemo"}',
        '{"COMMAND": {"a": 1}, "DATA": "/nemo"}',
        "[" * 3000,
        '{"COMMAND": "LISTEN", "DATA": "' + "a" * 5000 + '"}',
        '{"COMMAND": "LISTEN", "DATA": ' + "9" * 4000 + "}",
    ],
    ids=lambda text: text[:40],
)
def test_other_commands_are_counted_and_ignored(text: str) -> None:
    """The connection stays."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.socket.send_str(text)
        assert await client.settled() == []
        assert served.osc.counters.dropped == 1

    run(check)


@pytest.mark.parametrize("address", ["/nemo", "/nemo/nothing", "/nemo/*", "", "nemo/gain", "/"])
def test_what_has_no_value_is_not_listened_to(address: str) -> None:
    """A container is no method, a pattern no address; that is no mistake of the client."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", address)
        await client.settled()
        served.rig.controller.set("gain", 0.75, OTHER)
        assert await client.messages() == []
        assert served.osc.counters.dropped == 0

    run(check)


def test_a_disconnected_client_is_forgotten() -> None:
    """Nothing is kept of it, and nothing is sent."""

    async def check(served: ServedRig, client: Client) -> None:
        await client.command("LISTEN", "/nemo/bass")
        await client.send("/nemo/subscribe")
        await client.settled()
        assert list(served.osc.feedback.senders())
        await client.socket.close()
        async with asyncio.timeout(5.0):
            while served.query._sessions:
                await asyncio.sleep(0.01)
        assert list(served.osc.feedback.senders()) == []
        served.rig.controller.set("bass", 0.75, OTHER)

    run(check)
